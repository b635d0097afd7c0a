/** An nftables table as libnftables lists it, taken apart so that two can be compared. */

type Listed = Readonly<Record<string, unknown>>;

/** One thing of a table: an element, a rule, or what a set, map or chain is declared as. */
export interface NftPart {
  /** "element of bound4", "rule of to_router", "chain" */
  readonly kind: string;
  /** Canonical JSON. */
  readonly text: string;
}

/** Handles and the order of elements say nothing. @param listing the answer to "list table" */
export function nftParts(listing: unknown): readonly NftPart[] {
  const objects = (listing as { readonly nftables?: readonly Listed[] }).nftables ?? [];
  return objects.flatMap((object): readonly NftPart[] => {
    const [kind, value] = Object.entries(object)[0] ?? [];
    if (kind === undefined || kind === "metainfo" || kind === "table") return [];
    const { handle: _, elem, ...rest } = value as Listed;
    const whole = { kind, text: JSON.stringify(rest) };
    if (kind === "rule") return [{ kind: `rule of ${String(rest["chain"])}`, text: JSON.stringify(rest["expr"]) }];
    const elements = Array.isArray(elem) ? (elem as readonly unknown[]) : [];
    const own = elements.map((element) => {
      return { kind: `element of ${String(rest["name"])}`, text: JSON.stringify(element) };
    });
    return [whole, ...own];
  });
}

/** What is only in one of two listings, as text for people. */
export function compareListings(wanted: readonly NftPart[], found: readonly NftPart[]): readonly string[] {
  const [missing, extra] = [without(wanted, found), without(found, wanted)];
  const lines = [
    ...missing.map(({ kind, text }) => `${kind} missing: ${text}`),
    ...extra.map(({ kind, text }) => `${kind} that no record asks for: ${text}`),
  ];
  return lines.length > 0 ? lines : reordered(wanted, found);
}

function without(left: readonly NftPart[], right: readonly NftPart[]): readonly NftPart[] {
  const counts = new Map<string, number>();
  for (const part of right) counts.set(keyOf(part), (counts.get(keyOf(part)) ?? 0) + 1);
  return left.filter((part) => {
    const count = counts.get(keyOf(part)) ?? 0;
    counts.set(keyOf(part), count - 1);
    return count <= 0;
  });
}

/** The order of rules matters, that of everything else does not. */
function reordered(wanted: readonly NftPart[], found: readonly NftPart[]): readonly string[] {
  const rules = (parts: readonly NftPart[]) =>
    Map.groupBy(
      parts.filter(({ kind }) => kind.startsWith("rule of ")),
      ({ kind }) => kind,
    );
  const others = rules(found);
  return [...rules(wanted)].flatMap(([kind, list]) => {
    const same = list.every(({ text }, index) => others.get(kind)?.[index]?.text === text);
    return same ? [] : [`${kind}: the same rules in another order`];
  });
}

function keyOf({ kind, text }: NftPart): string {
  return `${kind} ${text}`;
}
