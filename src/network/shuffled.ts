import type { IpamRandom } from "./address-pool.ts";

/** The list in a random order (Fisher and Yates). */
export function shuffled(ids: readonly string[], random: IpamRandom): readonly string[] {
  const order = [...ids];
  for (let left = order.length; left > 1; left--) {
    const pick = random.below(left);
    [order[left - 1], order[pick]] = [order[pick] ?? "", order[left - 1] ?? ""];
  }
  return order;
}
