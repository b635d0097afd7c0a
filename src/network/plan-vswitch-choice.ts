import { AgentError } from "../common/errors.ts";
import type { NetworkConfig } from "./vpc-config.ts";

/** Names up to ten vSwitches of one VPC, in the order in which they are tried. */
const vswitchAnnotation = "k8s.aliyun.com/eci-vswitch";
const maxVswitches = 10;

/**
 * The vSwitches a pod may use, in order: those its annotation names, else all of the first vSwitch's VPC.
 * @throws AgentError InvalidArgument naming the annotation
 */
export function planVswitchChoice(
  config: NetworkConfig,
  annotations: Readonly<Record<string, string>>,
): readonly string[] {
  const asked = annotations[vswitchAnnotation];
  if (asked === undefined || asked.trim() === "") {
    const vpcId = config.vswitches[0]?.vpcId;
    return config.vswitches.filter((vswitch) => vswitch.vpcId === vpcId).map(({ id }) => id);
  }
  const ids = asked.split(",").map((id) => id.trim());
  if (ids.length > maxVswitches) throw invalid(asked, `at most ${maxVswitches} vSwitches`);
  const chosen = ids.map((id) => {
    const vswitch = config.vswitches.find((candidate) => candidate.id === id);
    if (vswitch === undefined) {
      throw invalid(asked, `a list of configured vSwitches (${config.vswitches.map((known) => known.id).join(", ")})`);
    }
    return vswitch;
  });
  if (new Set(chosen.map(({ vpcId }) => vpcId)).size > 1) throw invalid(asked, "vSwitches of one VPC");
  return [...new Set(ids)];
}

function invalid(value: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid annotation ${vswitchAnnotation} ${JSON.stringify(value.slice(0, 200))}: must be ${want}`,
  );
}
