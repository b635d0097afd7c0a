import { AgentError } from "../common/errors.ts";
import type { UserRequest } from "./container-settings.ts";
import { type GroupEntry, maxId, type PasswdEntry, parseId } from "./passwd.ts";
import type { ResolvedUser } from "./spec-input.ts";

/** The image's accounts, read only when a name has to be looked up. */
export interface AccountFiles {
  passwd(): readonly PasswdEntry[];
  group(): readonly GroupEntry[];
}

/** setgroups(2) takes no more. */
const maxGroups = 65_536;

/**
 * Who a container's process runs as: the request's user name, else its uid, else the image's USER (`user[:group]`),
 * else root. A uid without an account gets group 0.
 * @throws AgentError InvalidArgument naming the field and the value
 */
export function planUser(request: UserRequest, imageUser: string, accounts: AccountFiles): ResolvedUser {
  const { owner, user, group } = chosenUser(request, imageUser);
  const account = findAccount(owner, user, accounts);
  const gid = group === undefined ? account.gid : findGroup(owner, group, accounts);
  const groups = new Set([gid, ...checkedGroups(request.supplementalGroups)]);
  if (request.supplementalGroupsPolicy === "merge" && account.name !== undefined) {
    for (const entry of accounts.group()) if (entry.members.includes(account.name)) groups.add(entry.gid);
  }
  if (groups.size > maxGroups) {
    throw new AgentError(
      "InvalidArgument",
      `Can't give user ${JSON.stringify(user)} ${groups.size} groups: the kernel takes at most ${maxGroups}`,
    );
  }
  return { uid: account.uid, gid, supplementalGroups: [...groups].toSorted((left, right) => left - right) };
}

interface ChosenUser {
  /** The field it comes from, for messages. */
  readonly owner: string;
  readonly user: string;
  readonly group: string | undefined;
}

function chosenUser({ username, uid, gid }: UserRequest, imageUser: string): ChosenUser {
  const group = gid === undefined ? undefined : String(gid);
  if (username !== undefined && username !== "") return { owner: "run_as_username", user: username, group };
  if (uid !== undefined) return { owner: "run_as_user", user: String(uid), group };
  if (group !== undefined) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid run_as_group ${group}: must come with run_as_user or run_as_username`,
    );
  }
  const owner = "USER of the image";
  if (imageUser === "") return { owner, user: "0", group: undefined };
  const [user = "", groupOfImage, ...rest] = imageUser.split(":");
  if (rest.length > 0) throw invalidUser(owner, imageUser, '"user" or "user:group"');
  // `:group` alone is root with that group, and `user:` is the user with its own.
  return { owner, user: user || "0", group: groupOfImage || undefined };
}

function findAccount(
  owner: string,
  user: string,
  accounts: AccountFiles,
): { readonly uid: number; readonly gid: number; readonly name: string | undefined } {
  const uid = checkedNumber(owner, user);
  if (uid !== undefined) {
    const entry = accounts.passwd().find((account) => account.uid === uid);
    return { uid, gid: entry?.gid ?? 0, name: entry?.name };
  }
  const entry = accounts.passwd().find((account) => account.name === user);
  if (entry === undefined) throw invalidUser(owner, user, "a user of the image's /etc/passwd, or a number");
  return entry;
}

function findGroup(owner: string, group: string, accounts: AccountFiles): number {
  const gid = checkedNumber(`group in ${owner}`, group);
  if (gid !== undefined) return gid;
  const entry = accounts.group().find(({ name }) => name === group);
  if (entry === undefined)
    throw invalidUser(`group in ${owner}`, group, "a group of the image's /etc/group, or a number");
  return entry.gid;
}

/**
 * @returns undefined for a name
 * @throws for what looks like a number but is none in range: looked up as a name it could be root's account in a file the
 *   image's author wrote (CVE-2024-40635, CVE-2026-46680)
 */
function checkedNumber(field: string, text: string): number | undefined {
  const id = parseId(text);
  if (id !== undefined) return id;
  if (/^[+-]?[0-9]+$|^[+-]?0[xob]/i.test(text))
    throw invalidUser(field, text, `a number from 0 to ${maxId}, or a name`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (text === "" || /[\s:,\u0000-\u001f\u007f]/.test(text)) throw invalidUser(field, text, "a name or a number");
  return undefined;
}

function checkedGroups(groups: readonly number[]): readonly number[] {
  const bad = groups.findIndex((gid) => !Number.isInteger(gid) || gid < 0 || gid > maxId);
  if (bad === -1) return groups;
  throw new AgentError(
    "InvalidArgument",
    `Invalid supplemental_groups[${bad}] ${groups[bad]}: must be a number from 0 to ${maxId}`,
  );
}

function invalidUser(field: string, value: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(value.slice(0, 100))}: must be ${want}`);
}
