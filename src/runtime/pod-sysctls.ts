/** What containerd sets in a pod with a network of its own: any user may ping and listen on any port of the pod. */
export const defaultPodSysctls: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** Which namespace a kernel parameter belongs to; undefined: it is the whole machine's. */
export function sysctlNamespace(name: string): "network" | "ipc" | "uts" | undefined {
  if (name.startsWith("net.")) return "network";
  if (/^kernel\.(shm|msg|sem)|^fs\.mqueue\./.test(name)) return "ipc";
  return name === "kernel.domainname" ? "uts" : undefined;
}

/**
 * The name with dots between its parts. Both notations of sysctl.d(5) are known: where slashes separate, a dot belongs
 * to a part, as in "net/ipv4/conf/eth0.1/forwarding"; where dots separate, a slash stands for such a dot.
 */
export function normalSysctlName(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === "/" ? name.replace(/[./]/g, (character) => (character === "/" ? "." : "/")) : name;
}

/** The parameters by their files below /proc/sys. @param values by name with dots */
export function sysctlFiles(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const file = (name: string) => name.replace(/[./]/g, (character) => (character === "." ? "/" : "."));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [file(name), value]));
}
