import { z } from "zod";
import { AgentError } from "../../common/errors.ts";
import { type CniVersion, cniVersions, knownVersions } from "./cni-version.ts";

/** One plugin of a network. */
export interface CniPlugin {
  /** Name of its program. */
  readonly type: string;
  /** What of a pod's wishes it takes: the capabilities that are declared `true`. */
  readonly capabilities: readonly string[];
  /** Everything else it is configured with, as written. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A network configuration list, as a file has it. */
export interface NetworkList {
  readonly name: string;
  /** Versions the file offers and Podling speaks, lowest first; one at least. */
  readonly versions: readonly CniVersion[];
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  /** Whether the plugins of the directory beside the file that has the network's name are left out. */
  readonly onlyInlinedPlugins: boolean;
  readonly plugins: readonly CniPlugin[];
}

/** A network in the version that its pods are attached with; plain data, stored with each attachment. */
export interface CniNetwork {
  readonly name: string;
  readonly version: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  readonly plugins: readonly CniPlugin[];
}

/** The specification's form of a name, which becomes part of paths. */
const networkName = z
  .string("must be text")
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
    'must start with a letter or digit and hold letters, digits, "_", "." and "-"',
  );
/** It is looked up in the plugin directories and must not lead out of them. */
const pluginType = z
  .string("must be the name of a plugin")
  .regex(/^[^/\0]+$/, 'must be the name of a plugin, without "/"')
  .refine((type) => type !== "." && type !== "..", "must be the name of a plugin");
const flag = z
  .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")], "must be true or false")
  .default(false);
const plugin = z.looseObject(
  { type: pluginType, capabilities: z.record(z.string(), z.boolean("must be true or false")).default({}) },
  "must be a plugin's configuration",
);
const text = z.string("must be text");

const list = z.looseObject(
  {
    cniVersion: text.optional(),
    cniVersions: z.array(text, "must be an array of text").optional(),
    name: networkName,
    disableCheck: flag,
    disableGC: flag,
    loadOnlyInlinedPlugins: flag,
    plugins: z.array(plugin, "must be an array of plugins").default([]),
  },
  "must be an object",
);
/** The form that CNI 1.0 dropped and container runtimes still read: one plugin that is a network. */
const single = plugin.extend({ cniVersion: text.optional(), name: networkName });

/**
 * Reads a network configuration: a list (`*.conflist`), or one plugin that is a network of its own (`*.conf`, `*.json`).
 * @param path names the file in errors, and its ending tells the form
 * @throws AgentError InvalidArgument naming file and field
 */
export function parseNetworkList(path: string, content: string): NetworkList {
  const document = parseJson(path, content);
  if (path.endsWith(".conflist")) {
    const { cniVersion, cniVersions: more = [], plugins, ...read } = check(path, list, document);
    return {
      name: read.name,
      versions: offeredVersions(path, cniVersion, more),
      disableCheck: read.disableCheck,
      disableGc: read.disableGC,
      onlyInlinedPlugins: read.loadOnlyInlinedPlugins,
      plugins: plugins.map(toPlugin),
    };
  }
  const { cniVersion, name, ...read } = check(path, single, document);
  return {
    name,
    versions: offeredVersions(path, cniVersion, []),
    disableCheck: false,
    disableGc: false,
    onlyInlinedPlugins: true,
    plugins: [toPlugin(read)],
  };
}

/** Reads one plugin of the directory that has its network's name. @throws AgentError InvalidArgument */
export function parsePluginFile(path: string, content: string): CniPlugin {
  const { cniVersion: _version, name: _name, ...read } = check(path, plugin, parseJson(path, content));
  return toPlugin(read);
}

function toPlugin({ type, capabilities, ...config }: z.output<typeof plugin>): CniPlugin {
  const declared = Object.entries(capabilities).filter(([, wanted]) => wanted);
  return { type, capabilities: declared.map(([name]) => name), config };
}

function offeredVersions(path: string, one: string | undefined, more: readonly string[]): readonly CniVersion[] {
  const texts = one === undefined ? more : [one, ...more];
  const known = knownVersions(texts);
  if (known.length > 0) return known;
  const found = texts.length === 0 ? "none is given" : texts.map((version) => JSON.stringify(version)).join(", ");
  throw fault(path, `cniVersion: must be one of ${cniVersions.join(", ")}: ${found}`);
}

function parseJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw fault(path, "must be JSON", cause);
  }
}

function check<Schema extends z.ZodType>(path: string, schema: Schema, value: unknown): z.output<Schema> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const problems = read.error.issues.map(({ path: at, message }) => `${fieldName(at)}${message}`);
  throw fault(path, problems.join("; "));
}

function fieldName(path: readonly PropertyKey[]): string {
  const parts = path.map((step, place) => {
    if (typeof step === "number") return `[${step}]`;
    return place === 0 ? String(step) : `.${String(step)}`;
  });
  return path.length === 0 ? "" : `${parts.join("")} `;
}

function fault(path: string, problem: string, cause?: unknown): AgentError {
  return new AgentError("InvalidArgument", `Invalid CNI configuration ${JSON.stringify(path)}: ${problem}`, { cause });
}
