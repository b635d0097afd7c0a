import type { ContainerConfig__Output } from "../generated/runtime/v1/ContainerConfig.ts";
import { invalid, missing } from "./field-error.ts";

/** Annotations below it name devices as well, for callers older than the field. */
const annotationPrefix = "cdi.k8s.io/";
/** Vendor and class begin with a letter, a device with a letter or digit; all end with one (CDI, "kind" and "name"). */
const deviceName = /^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w.-]*[A-Za-z0-9])?=[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;

/**
 * The CDI devices a container asks for, by field and by annotation, each once.
 * @throws AgentError InvalidArgument
 */
export function decodeCdiDevices(
  config: Pick<ContainerConfig__Output, "CDI_devices" | "annotations">,
): readonly string[] {
  const asked = config.CDI_devices.map(({ name }, index) => checkDevice(`config.CDI_devices[${index}].name`, name));
  const annotated = Object.entries(config.annotations)
    .filter(([key]) => key.startsWith(annotationPrefix))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => value.split(",").map((name) => checkDevice(`config.annotations["${key}"]`, name)));
  return [...new Set([...asked, ...annotated])];
}

function checkDevice(field: string, name: string): string {
  if (name === "") throw missing(field);
  if (!deviceName.test(name)) throw invalid(field, name, 'must be a CDI device such as "vendor.com/class=name"');
  return name;
}
