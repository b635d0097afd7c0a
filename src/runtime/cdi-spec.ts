import { parse } from "yaml";
import { z } from "zod";

/**
 * One file of the Container Device Interface (cncf-tags/container-device-interface SPEC.md, 0.1.0 to 1.1.0): what a
 * container gets along with a device. Unknown fields make a file invalid, as in the reference implementation.
 */

const kind = /^[A-Za-z](?:[\w.-]*[A-Za-z0-9])?\/[A-Za-z](?:[\w.-]*[A-Za-z0-9])?$/;
const deviceName = /^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/;
const qualifiedName =
  /^([A-Za-z](?:[\w.-]*[A-Za-z0-9])?\/[A-Za-z](?:[\w.-]*[A-Za-z0-9])?)=([A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?)$/;
const versions = ["0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"] as const;
export const cdiHookNames = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

const absolute = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");
const id = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);
const variable = z.string().regex(/^[^=\0]+=[^\0]*$/, "must be NAME=value");

const edits = z.strictObject({
  env: z.array(variable).default([]),
  deviceNodes: z
    .array(
      z.strictObject({
        path: absolute,
        hostPath: absolute.optional(),
        type: z.enum(["b", "c", "u"], "must be b, c or u; pipes are not supported").optional(),
        major: z.int().min(0).optional(),
        minor: z.int().min(0).optional(),
        fileMode: z.int().min(0).max(0o7777).optional(),
        permissions: z
          .string()
          .regex(/^[rwm]*$/, 'must be letters of "rwm"')
          .optional(),
        uid: id.optional(),
        gid: id.optional(),
      }),
    )
    .default([]),
  mounts: z
    .array(
      z.strictObject({
        hostPath: z.string().min(1),
        containerPath: absolute,
        type: z.string().optional(),
        options: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  hooks: z
    .array(
      z.strictObject({
        hookName: z.enum(cdiHookNames),
        path: absolute,
        args: z.array(z.string()).optional(),
        env: z.array(variable).optional(),
        timeout: z.int().min(1).optional(),
      }),
    )
    .default([]),
  additionalGids: z.array(id).default([]),
  intelRdt: z
    .strictObject({
      closID: z
        .string()
        .regex(/^(?!\.{1,2}$)[^/\n]{1,4095}$/, 'must be a name, neither "." nor ".."')
        .optional(),
      l3CacheSchema: z.string().optional(),
      memBwSchema: z.string().optional(),
      enableCMT: z.boolean().optional(),
      enableMBM: z.boolean().optional(),
    })
    .optional(),
});

const specSchema = z.strictObject({
  cdiVersion: z.enum(versions, `must be one of ${versions.join(", ")}`),
  kind: z.string().regex(kind, "must be vendor/class"),
  annotations: z.record(z.string(), z.string()).optional(),
  devices: z
    .array(
      z.strictObject({
        name: z.string().regex(deviceName, "must be a device's name"),
        annotations: z.record(z.string(), z.string()).optional(),
        containerEdits: edits,
      }),
    )
    .min(1, "must have at least one device"),
  containerEdits: edits.optional(),
});

export type CdiSpec = z.output<typeof specSchema>;
export type CdiEdits = z.output<typeof edits>;

/**
 * Reads a spec's text, JSON or YAML.
 * @throws Error naming the first fault
 */
export function parseCdiSpec(text: string): CdiSpec {
  const read = specSchema.safeParse(parse(text, { maxAliasCount: 100 }));
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new Error(`${issue?.path.join(".") || "the file"}: ${issue?.message}`);
  }
  const spec = read.data;
  const names = spec.devices.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`devices: ${JSON.stringify(twice)} is there twice`);
  const needed = requiredVersion(spec);
  if (versions.indexOf(spec.cdiVersion) < versions.indexOf(needed)) {
    throw new Error(`cdiVersion: must be at least ${needed} for what the file uses, and is ${spec.cdiVersion}`);
  }
  return spec;
}

/** "vendor/class=device" apart, or undefined for any other text. */
export function splitCdiName(name: string): { readonly kind: string; readonly device: string } | undefined {
  const match = qualifiedName.exec(name);
  return match === null ? undefined : { kind: match[1] ?? "", device: match[2] ?? "" };
}

/** The first version that has all that a spec uses. */
function requiredVersion(spec: CdiSpec): (typeof versions)[number] {
  const all = [spec.containerEdits, ...spec.devices.map(({ containerEdits }) => containerEdits)].filter(
    (one) => one !== undefined,
  );
  if (all.some(({ intelRdt, additionalGids }) => intelRdt !== undefined || additionalGids.length > 0)) return "0.7.0";
  const annotated = [spec, ...spec.devices].some(({ annotations = {} }) => Object.keys(annotations).length > 0);
  if (annotated || spec.kind.split("/")[1]?.includes(".")) return "0.6.0";
  const digits = spec.devices.some(({ name }) => /^\d/.test(name));
  if (digits || all.some(({ deviceNodes }) => deviceNodes.some(({ hostPath }) => hostPath !== undefined)))
    return "0.5.0";
  if (all.some(({ mounts }) => mounts.some(({ type }) => type !== undefined))) return "0.4.0";
  return "0.1.0";
}
