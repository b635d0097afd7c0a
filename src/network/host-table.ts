/** The one nftables table an agent has in the host's namespace. */
export function hostTable(instance: string): string {
  return `podling_${instance.replaceAll("-", "_")}`;
}
