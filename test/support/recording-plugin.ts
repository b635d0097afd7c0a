import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One run of a recording plugin, as it saw it. */
export interface RecordedCall {
  readonly type: string;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the runtime under test decides what is in it
  readonly input: any;
}

/**
 * A directory of plugins that write down how they were called, and answer as a test tells them to. They stand for what
 * Debian's plugins are too old for, and for plugins that fail.
 */
export class RecordingPlugins {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Adds a plugin. Commands without an answer succeed and print nothing. @param answers shell commands by CNI command */
  add(
    type: string,
    answers: Readonly<Record<string, string>> = {},
    versions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"],
  ): this {
    const place = join(this.directory, `.${type}`);
    mkdirSync(place, { recursive: true });
    const all = {
      VERSION: `echo '${JSON.stringify({ cniVersion: versions.at(-1), supportedVersions: versions })}'`,
      ...answers,
    };
    for (const [command, script] of Object.entries(all)) this.answer(type, command, script);
    const program = join(this.directory, type);
    writeFileSync(program, script(type, place, this.#log));
    chmodSync(program, 0o755);
    return this;
  }

  /** Changes what a plugin does; undefined: nothing. */
  answer(type: string, command: string, script: string | undefined): void {
    const path = join(this.directory, `.${type}`, command);
    if (script === undefined) rmSync(path, { force: true });
    else writeFileSync(path, script);
  }

  /** Every call but VERSION's, in the order they began. */
  calls(): readonly RecordedCall[] {
    return this.#lines()
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as RecordedCall)
      .filter(({ command }) => command !== "VERSION");
  }

  /** "type command" of every call. */
  names(): readonly string[] {
    return this.calls().map(({ type, command }) => `${type} ${command}`);
  }

  /** "begin type command" and "end type command" in the order they came. */
  spans(): readonly string[] {
    return this.#lines().filter((line) => /^(begin|end) /.test(line) && !line.endsWith(" VERSION"));
  }

  forget(): void {
    rmSync(this.#log, { force: true });
  }

  get #log(): string {
    return join(this.directory, ".calls");
  }

  #lines(): readonly string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8").split("\n") : [];
  }
}

/** An ADD that gives an address. */
export function addingAddress(address: string, version = "1.1.0"): string {
  const result = {
    cniVersion: version,
    interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "SANDBOX" }],
    ips: [{ address, interface: 0 }],
  };
  return `echo '${JSON.stringify(result)}' | sed "s|SANDBOX|$CNI_NETNS|"`;
}

function script(type: string, place: string, log: string): string {
  const names = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"];
  const env = names.map((name) => `\\"${name}\\":\\"$${name}\\"`).join(",");
  return `#!/bin/sh
input=$(cat)
echo "{\\"type\\":\\"${type}\\",\\"command\\":\\"$CNI_COMMAND\\",\\"env\\":{${env}},\\"input\\":$(printf %s "$input")}" >>${log}
echo "begin ${type} $CNI_COMMAND" >>${log}
trap 'echo "end ${type} $CNI_COMMAND" >>${log}' EXIT
if [ -e "${place}/$CNI_COMMAND" ]; then . "${place}/$CNI_COMMAND"; fi
`;
}
