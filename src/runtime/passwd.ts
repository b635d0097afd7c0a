/** One line of passwd(5). */
export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** One line of group(5). */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The greatest id: the kernel takes 32 bits, but runtimes and tools keep ids in signed numbers. */
export const maxId = 2 ** 31 - 1;

/**
 * Reads `name:password:uid:gid:…` lines. A line whose ids are no numbers in range is skipped: read as 0 it would be root.
 */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  return records(text).flatMap(([name = "", , uidText, gidText]) => {
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    return name === "" || uid === undefined || gid === undefined ? [] : [{ name, uid, gid }];
  });
}

/** Reads `name:password:gid:member,member` lines; a line without a number in range is skipped. */
export function parseGroup(text: string): readonly GroupEntry[] {
  return records(text).flatMap(([name = "", , gidText, members = ""]) => {
    const gid = parseId(gidText);
    if (name === "" || gid === undefined) return [];
    return [{ name, gid, members: members.split(",").filter((member) => member !== "") }];
  });
}

/** A decimal id from 0 to {@link maxId}, or undefined. */
export function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= maxId ? id : undefined;
}

function records(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
