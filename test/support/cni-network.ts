import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output, runCommand } from "./command.ts";
import { cannotRun, toolsDirectory } from "./requirements.ts";
import type { TestInstance } from "./test-instance.ts";

/** Programs of the same plugins, of one build. */
export interface PluginBuild {
  readonly directory: string;
  /** The highest that they speak. */
  readonly cniVersion: string;
}

/** Those of Debian's package. */
export const debianPlugins: PluginBuild = { directory: "/usr/lib/cni", cniVersion: "1.0.0" };
/** Those that `make tools` builds, with STATUS and GC. */
export const newPlugins: PluginBuild = { directory: join(toolsDirectory, "cni"), cniVersion: "1.1.0" };
const pluginNames = ["bridge", "host-local", "portmap", "bandwidth", "tuning"] as const;

/** Ranges of a network, of which nobody else on the machine has a part. */
export interface CniRanges {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** A bridge network with names of its own, and what its pods leave. */
export class BridgeNetwork implements AsyncDisposable {
  readonly name = `net${randomBytes(4).toString("hex")}`;
  readonly bridge = `cni${this.name.slice(3)}`;
  readonly directory: string;
  readonly confDir: string;
  readonly ranges: CniRanges;
  readonly plugins: PluginBuild;

  /** @param directory of the network's files, made if missing */
  constructor(directory: string, ranges: CniRanges, plugins: PluginBuild) {
    this.plugins = plugins;
    this.directory = directory;
    this.confDir = join(directory, "net.d");
    this.ranges = ranges;
    mkdirSync(this.confDir, { recursive: true });
  }

  /** The list: bridge and host-local for both families, tuning, portmap, bandwidth. */
  list(change: object = {}): { readonly plugins: readonly object[] } & Record<string, unknown> {
    const ranges = [[{ subnet: this.ranges.ipv4 }], [{ subnet: this.ranges.ipv6 }]];
    const ipam = {
      type: "host-local",
      dataDir: join(this.directory, "addresses"),
      ranges,
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
    };
    const bridge = { type: "bridge", bridge: this.bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam };
    return {
      cniVersion: this.plugins.cniVersion,
      name: this.name,
      plugins: [
        { ...bridge, capabilities: { ips: true, mac: true } },
        { type: "tuning", capabilities: { mac: true } },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
        { type: "bandwidth", capabilities: { bandwidth: true } },
      ],
      ...change,
    };
  }

  /** Puts a configuration in place at once, as an installer does. */
  write(content: object = this.list(), file = "10-test.conflist"): void {
    const fresh = join(this.directory, "fresh");
    writeFileSync(fresh, JSON.stringify(content));
    renameSync(fresh, join(this.confDir, file));
  }

  /** Everything pods of the network have on the host. @param ids sandboxes that there have been */
  async leftovers(ids: readonly string[] = []): Promise<readonly string[]> {
    const links = JSON.parse(await output(["ip", "-j", "link"])) as { ifname: string; master?: string }[];
    const shapers = new Set(ids.map((id) => hashedName(`${this.name}${id}`)));
    const rules = (await Promise.all(tables.map((program) => output([`${program}-save`])))).flatMap((text) =>
      text.split("\n"),
    );
    return [
      ...this.addresses().map((address) => `address ${address}`),
      ...links.filter(({ master }) => master === this.bridge).map(({ ifname }) => `link ${ifname} of the bridge`),
      ...links.filter(({ ifname }) => shapers.has(ifname)).map(({ ifname }) => `link ${ifname}`),
      ...rules
        .filter((line) => line.includes(this.name))
        .map((line) => (masquerading.test(line) ? `masquerading of ${line}` : `rule ${line}`)),
    ];
  }

  /** What host-local has given out. */
  addresses(): readonly string[] {
    try {
      return readdirSync(join(this.directory, "addresses", this.name)).filter((name) => /^[0-9a-f]+[.:]/.test(name));
    } catch {
      return [];
    }
  }

  async #removeRules(program: (typeof tables)[number]): Promise<void> {
    const rules = (await output([`${program}-save`])).split("\n").filter((line) => line.includes(this.name));
    for (const rule of rules.map(wordsOf).filter(([, from = ""]) => /^(POSTROUTING|CNI-HOSTPORT-\w+)$/.test(from))) {
      const chain = rule[rule.indexOf("-j") + 1] ?? "";
      if (!chain.startsWith("CNI-")) continue;
      // Named by its words: its number changes while others add and delete rules.
      await runCommand([program, "-t", "nat", "-D", ...rule.slice(1)]);
      await runCommand([program, "-t", "nat", "-F", chain]);
      await runCommand([program, "-t", "nat", "-X", chain]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["ip", "link", "delete", this.bridge]);
    for (const program of tables) await this.#removeRules(program);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const tables = ["iptables", "ip6tables"] as const;
/** Of the bridge plugin, as against the portmap plugin's, which have a word before their hash. */
const masquerading = /^-A (?:POSTROUTING .* -j )?CNI-[0-9a-f]{24}(?: |$)/;

/** The arguments a rule was saved as. */
function wordsOf(rule: string): readonly string[] {
  const words = rule.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g);
  return [...words].map(([, quoted, plain = ""]) => quoted?.replaceAll(/\\(.)/g, "$1") ?? plain);
}

/** How the bandwidth plugin names the device of a pod's outgoing limit. */
function hashedName(text: string): string {
  return `bwp${createHash("sha512").update(text).digest("hex").slice(0, 12)}`;
}

/** The bridge network of a test's agent, in its own ranges and directory. */
export class AgentBridge {
  readonly #plugins: PluginBuild;
  #network: BridgeNetwork | undefined;

  constructor(plugins = debianPlugins) {
    this.#plugins = plugins;
  }

  /** The agent's table `network`. */
  readonly settings = (instance: TestInstance): object => {
    const ipv4 = instance.cidr.replace(".0.0/16", ".77.0/24");
    this.#network = new BridgeNetwork(
      join(instance.scratch, "cni"),
      { ipv4, ipv6: instance.vswitchIpv6Cidr },
      this.#plugins,
    );
    this.#network.write();
    return { provider: "cni", cni: { conf_dir: this.#network.confDir, bin_dirs: [this.#plugins.directory] } };
  };

  get network(): BridgeNetwork {
    if (this.#network === undefined) throw new Error("The agent has no configuration yet");
    return this.#network;
  }
}

/** Whether tests of these plugins have to be skipped. */
export function lacksPlugins({ directory }: PluginBuild): boolean {
  return cannotRun("iptables-save", ...pluginNames.map((name) => join(directory, name)));
}
