import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { AgentError, errnoOf } from "../common/errors.ts";
import { O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "../system/libc.ts";
import type { UserRequest } from "./container-settings.ts";
import { parseGroup, parsePasswd } from "./passwd.ts";
import { planUser } from "./plan-user.ts";
import type { ResolvedUser } from "./spec-input.ts";

/** An account file larger than this is an attack on our memory, not an account file (CVE-2026-47262). */
const maxFileBytes = 10 * 1024 * 1024;

/**
 * Resolves the user of a container in its mounted root file system.
 * @param rootfs absolute path
 * @param imageUser USER of the image config, maybe empty
 * @throws AgentError InvalidArgument naming the field; FailedPrecondition when the image's account files can't be read
 */
export function resolveUser(rootfs: string, request: UserRequest, imageUser: string): ResolvedUser {
  const rootFd = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    const passwd = once(() => parsePasswd(readImageFile(rootFd, "etc/passwd")));
    const group = once(() => parseGroup(readImageFile(rootFd, "etc/group")));
    return planUser(request, imageUser, { passwd, group });
  } finally {
    closeSync(rootFd);
  }
}

/**
 * Reads a file the image's author made. Links are followed inside the root only, and nothing but a regular file is read:
 * a FIFO would hang us, and a device would act.
 * @returns "" when it doesn't exist
 */
function readImageFile(rootFd: number, path: string): string {
  let fd: number;
  try {
    fd = openat2(rootFd, path, constants.O_RDONLY | constants.O_NONBLOCK, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT" || errno === "ENOTDIR") return "";
    throw new AgentError("FailedPrecondition", `Can't read /${path} of the image`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxFileBytes) {
      throw new AgentError(
        "FailedPrecondition",
        `Can't read /${path} of the image: must be a regular file of at most ${maxFileBytes} bytes`,
      );
    }
    return readWhole(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

function readWhole(fd: number, sizeBytes: number): string {
  const bytes = Buffer.alloc(sizeBytes);
  let done = 0;
  while (done < sizeBytes) {
    const count = readSync(fd, bytes, done, sizeBytes - done, done);
    if (count === 0) break;
    done += count;
  }
  return bytes.toString("utf8", 0, done);
}

function once<Value>(read: () => Value): () => Value {
  let held: { readonly value: Value } | undefined;
  return () => {
    held ??= { value: read() };
    return held.value;
  };
}
