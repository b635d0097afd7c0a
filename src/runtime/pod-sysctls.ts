/** What containerd sets in a pod with a network of its own: any user may ping and listen on any port of the pod. */
export const defaultPodSysctls: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/** The parameters by their files below /proc/sys. @param values by name with dots */
export function sysctlFiles(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const file = (name: string) => name.replace(/[./]/g, (character) => (character === "." ? "/" : "."));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [file(name), value]));
}
