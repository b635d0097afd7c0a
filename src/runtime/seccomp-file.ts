import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { z } from "zod";
import { AgentError } from "../common/errors.ts";
import type { OciSeccomp } from "./oci-spec.ts";

/** The largest profiles in use have some 30 KB; a filter has at most 4096 instructions anyway. */
const maxFileBytes = 1 << 20;

const action = z.enum([
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
]);
const operator = z.enum([
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
]);
const errno = z.number().int().min(0).max(4095);
const word = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Go's decoder takes null for an empty list, and so do the profiles that Go programs write. */
function list<Schema extends z.ZodType>(element: Schema) {
  return z
    .array(element)
    .nullish()
    .transform((value) => value ?? []);
}

/** config-linux.md, "Seccomp", of the OCI runtime spec; other keys are left out, as Go's decoder does it. */
const profile = z.object({
  defaultAction: action,
  defaultErrnoRet: errno.optional(),
  architectures: list(z.string().regex(/^SCMP_ARCH_[A-Z0-9_]+$/)),
  flags: list(z.string().regex(/^SECCOMP_FILTER_FLAG_[A-Z_]+$/)),
  listenerPath: z.string().optional(),
  listenerMetadata: z.string().optional(),
  syscalls: list(
    z.object({
      names: z.array(z.string().regex(/^[a-z0-9_]+$/)).min(1),
      action,
      errnoRet: errno.optional(),
      args: list(
        z.object({ index: z.number().int().min(0).max(5), value: word, valueTwo: word.optional(), op: operator }),
      ),
    }),
  ),
});

/**
 * Reads a seccomp profile of the node, in the JSON of the OCI runtime spec.
 * @param path absolute
 * @throws AgentError InvalidArgument naming the file and what is wrong in it
 */
export function readSeccompFile(path: string): OciSeccomp {
  const parsed = profile.safeParse(parseJson(path, readSmallFile(path)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(path, `"${issue?.path.join(".") ?? ""}" in it: ${issue?.message ?? "not a profile"}`);
  }
  const { flags, syscalls, defaultErrnoRet, listenerPath, listenerMetadata, ...rest } = parsed.data;
  return {
    ...rest,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    ...(flags.length > 0 && { flags }),
    ...(listenerPath !== undefined && { listenerPath }),
    ...(listenerMetadata !== undefined && { listenerMetadata }),
    syscalls: syscalls.map(({ names, action: doing, errnoRet, args }) => ({
      names,
      action: doing,
      ...(errnoRet !== undefined && { errnoRet }),
      ...(args.length > 0 && { args: args.map(argument) }),
    })),
  };
}

function argument({
  index,
  value,
  valueTwo,
  op,
}: {
  index: number;
  value: number;
  valueTwo?: number | undefined;
  op: string;
}) {
  return { index, value, ...(valueTwo !== undefined && { valueTwo }), op };
}

function readSmallFile(path: string): string {
  let fd: number;
  try {
    // A FIFO there would make us wait.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw invalid(path, "it must be a file that can be read", cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxFileBytes) {
      throw invalid(path, `it must be a regular file of at most ${maxFileBytes} bytes`);
    }
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(path, "it must hold JSON", cause);
  }
}

function invalid(path: string, why: string, cause?: unknown): AgentError {
  return new AgentError("InvalidArgument", `Can't use seccomp profile ${JSON.stringify(path.slice(0, 300))}: ${why}`, {
    cause,
  });
}
