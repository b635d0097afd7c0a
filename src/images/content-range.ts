/** RFC 9110 section 14.4; `total` is undefined for `*`. */
export interface ContentRange {
  readonly start: number;
  /** Last byte, included. */
  readonly end: number;
  readonly total: number | undefined;
}

/** @returns undefined for anything but a satisfied byte range within safe integers */
export function parseContentRange(text: string): ContentRange | undefined {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(text.trim());
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? undefined : Number(match[3]);
  if (!Number.isSafeInteger(end) || start > end || (total !== undefined && end >= total)) return undefined;
  return { start, end, total };
}
