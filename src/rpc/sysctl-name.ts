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
