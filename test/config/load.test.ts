import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import { loadConfig } from "../../src/config.ts";
import { defaultConfigText } from "../../src/config-default.ts";
import type { Config } from "../../src/config-schema.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";

const root = mkdtempSync(join(tmpdir(), "podling-config-"));
afterAll(() => rmSync(root, { recursive: true }));
let directories = 0;

/** Writes files into a directory of their own and gives back the path of its config.toml. */
function write(files: Readonly<Record<string, string>>): string {
  const directory = join(root, String(directories++));
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return join(directory, "config.toml");
}

function load(text: string): Config {
  return loadConfig(write({ "config.toml": text }));
}

/** The faults' lines, without the directory. */
function faultsOf(path: string): readonly string[] {
  try {
    loadConfig(path);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    expect(error.code).toBe("InvalidArgument");
    return error.message.replaceAll(`${dirname(path)}/`, "").split("\n");
  }
  return [];
}

const defaultGc = {
  highPercent: 85,
  lowPercent: 80,
  minimumAgeMs: 120_000,
  maximumAgeMs: 0,
  intervalMs: 300_000,
  pinned: [],
};
const defaultCni: Config["network"]["cni"] = {
  confDir: "/etc/cni/net.d",
  binDirs: ["/opt/cni/bin", "/usr/lib/cni"],
  pluginTimeoutMs: 60_000,
  gc: false,
};
const defaults: Config = {
  instance: load("").instance,
  root: "/var/lib/podling",
  state: "/run/podling",
  profile: "eci",
  grpc: { address: "/run/podling/podling.sock" },
  streaming: { address: "127.0.0.1:0", cert: "", key: "" },
  metrics: { address: "127.0.0.1:9977" },
  runtime: {
    defaultHandler: "runc",
    cdiSpecDirs: ["/etc/cdi", "/var/run/cdi"],
    warmShims: 0,
    handlers: [
      { name: "runc", shim: "containerd-shim-runc-v2", binary: "runc" },
      { name: "crun", shim: "containerd-shim-runc-v2", binary: "crun" },
    ],
  },
  images: { snapshotter: "auto", parallelLayers: 0, durable: true, gc: defaultGc, caches: { limit: 100 } },
  registry: {
    configPath: "/etc/podling/certs.d",
    dockerConfig: "",
    credentialProviders: "",
    credentialProviderBinDir: "",
    acr: {
      region: "",
      endpoint: "https://cr.{region}.aliyuncs.com",
      accessKeyFile: "",
      ramRole: "",
      metadataEndpoint: "http://100.100.100.200",
    },
  },
  network: {
    provider: "local-vpc",
    cni: defaultCni,
    vpcs: [{ id: "vpc-default", cidr: "10.88.0.0/16", ipv6Cidr: "fd00:88::/56", natGateway: true }],
    vswitches: [
      {
        id: "vsw-default",
        vpc: "vpc-default",
        zone: "local-a",
        cidr: "10.88.0.0/20",
        ipv6Cidr: "fd00:88::/64",
        reserved: [],
      },
    ],
    securityGroups: [{ id: "sg-default", vpcId: "vpc-default", type: "basic", intranet: "accept", rules: [] }],
    eips: [],
    eipPools: [],
  },
  storage: { ephemeralSizeBytes: 30 * 2 ** 30 },
  manifests: { dir: "/etc/podling/manifests.d" },
  cluster: { id: "default", node: hostname() },
};

const ownNetwork = `
[[network.vpcs]]
id = "vpc-a"
cidr = "10.9.0.0/16"
ipv6_cidr = "fd00:9::/56"
[[network.vswitches]]
id = "vsw-a"
vpc = "vpc-a"
zone = "z"
cidr = "10.9.0.0/20"
ipv6_cidr = "fd00:9::/64"
`;

/** Text, and what of the defaults it changes. */
const accepted: ReadonlyArray<readonly [string, string, Partial<Config>]> = [
  ["nothing at all", "", {}],
  ["the default text", defaultConfigText, {}],
  [
    "another state directory, which moves the socket",
    'state = "/run//a/../b/"',
    { state: "/run/b", grpc: { address: "/run/b/podling.sock" } },
  ],
  ["a socket as a URL", '[grpc]\naddress = "unix:///run/x.sock"', { grpc: { address: "/run/x.sock" } }],
  [
    "dotted keys",
    'profile = "node"\nimages.durable = false\nimages.parallel_layers = 4\nimages.snapshotter = "erofs"',
    {
      profile: "node",
      images: { snapshotter: "erofs", parallelLayers: 4, durable: false, gc: defaultGc, caches: { limit: 100 } },
    },
  ],
  [
    "when images are collected",
    '[images.gc]\nhigh_threshold = 100\nmaximum_age = "168h"\ninterval = "0s"\npinned = ["registry.k8s.io/pause:*"]',
    {
      images: {
        snapshotter: "auto",
        parallelLayers: 0,
        durable: true,
        gc: {
          ...defaultGc,
          highPercent: 100,
          maximumAgeMs: 7 * 86_400_000,
          intervalMs: 0,
          pinned: ["registry.k8s.io/pause:*"],
        },
        caches: { limit: 100 },
      },
    },
  ],
  [
    "another handler beside the built-in ones, and a changed one",
    '[runtime]\ndefault_handler = "kata"\nhandlers.kata = { shim = "/opt/containerd-shim-kata-v2" }\nhandlers.crun.binary = "/opt/crun"',
    {
      runtime: {
        warmShims: 0,
        defaultHandler: "kata",
        cdiSpecDirs: ["/etc/cdi", "/var/run/cdi"],
        handlers: [
          { name: "runc", shim: "containerd-shim-runc-v2", binary: "runc" },
          { name: "crun", shim: "containerd-shim-runc-v2", binary: "/opt/crun" },
          { name: "kata", shim: "/opt/containerd-shim-kata-v2", binary: "" },
        ],
      },
    },
  ],
  [
    "a network of its own in place of the default one",
    ownNetwork,
    {
      network: {
        provider: "local-vpc",
        cni: defaultCni,
        vpcs: [{ id: "vpc-a", cidr: "10.9.0.0/16", ipv6Cidr: "fd00:9::/56", natGateway: true }],
        vswitches: [
          { id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.9.0.0/20", ipv6Cidr: "fd00:9::/64", reserved: [] },
        ],
        securityGroups: [],
        eips: [],
        eipPools: [],
      },
    },
  ],
  [
    "security groups",
    `${ownNetwork}[[network.security_groups]]
id = "sg-web"
vpc = "vpc-a"
rules = [
  { direction = "ingress", protocol = "tcp", ports = "443, 80-90,85-100", source = "sg-web", priority = 2 },
  { direction = "egress", policy = "drop", destination = "fd00::/8" },
  { direction = "egress" },
]
[[network.security_groups]]
id = "sg-closed"
vpc = "vpc-a"
type = "enterprise"
intranet = "drop"`,
    {
      network: {
        provider: "local-vpc",
        cni: defaultCni,
        vpcs: [{ id: "vpc-a", cidr: "10.9.0.0/16", ipv6Cidr: "fd00:9::/56", natGateway: true }],
        vswitches: [
          { id: "vsw-a", vpc: "vpc-a", zone: "z", cidr: "10.9.0.0/20", ipv6Cidr: "fd00:9::/64", reserved: [] },
        ],
        securityGroups: [
          {
            id: "sg-web",
            vpcId: "vpc-a",
            type: "basic",
            intranet: "accept",
            rules: [
              {
                direction: "ingress",
                policy: "accept",
                protocol: "tcp",
                ports: [
                  { first: 80, last: 100 },
                  { first: 443, last: 443 },
                ],
                peer: { group: "sg-web" },
                priority: 2,
              },
              {
                direction: "egress",
                policy: "drop",
                protocol: "all",
                ports: [],
                peer: { family: 6, cidr: "fd00::/8" },
                priority: 1,
              },
              { direction: "egress", policy: "accept", protocol: "all", ports: [], peer: "all", priority: 1 },
            ],
          },
          { id: "sg-closed", vpcId: "vpc-a", type: "enterprise", intranet: "drop", rules: [] },
        ],
        eips: [],
        eipPools: [],
      },
    },
  ],
  [
    "CNI plugins in place of the VPC",
    '[network]\nprovider = "cni"\n[network.cni]\nconf_dir = "/a"\nbin_dirs = ["/b/"]\nplugin_timeout_seconds = 5\ngc = true',
    {
      network: {
        ...defaults.network,
        provider: "cni",
        cni: { confDir: "/a", binDirs: ["/b"], pluginTimeoutMs: 5_000, gc: true },
      },
    },
  ],
  ["a decimal size", '[storage]\nephemeral_size = "1.5G"', { storage: { ephemeralSizeBytes: 1_500_000_000 } }],
  ["a size in KiB", '[storage]\nephemeral_size = "7Ki"', { storage: { ephemeralSizeBytes: 7168 } }],
  ["plain bytes", '[storage]\nephemeral_size = "4096"', { storage: { ephemeralSizeBytes: 4096 } }],
  [
    "parts not built yet at their empty values",
    '[grpc]\ntcp_address = ""\n[grpc.tls]\n[cluster]\netcd_endpoints = []\nnode = "n1"',
    {
      cluster: { id: "default", node: "n1" },
    },
  ],
];

const long = "x".repeat(120);

/** Text, and all that is said about it. */
const refused: ReadonlyArray<readonly [string, string, readonly string[]]> = [
  [
    "unknown keys, anywhere",
    'root = "/r"\nprofil = "node"\n[images]\ndurable = true\n"para\\nllel" = 1\n[network]\n[[network.vpcs]]\nid = "v"\ncidr = "c"\nipv6_cidr = "d"\nnat = true\n[nowhere.x]\n',
    [
      "config.toml:2: unknown key profil: known here are instance, root, state, profile, grpc, streaming, metrics, runtime, images, registry, network, storage, manifests, cluster",
      'config.toml:5: unknown key images."para\\nllel": known here are snapshotter, parallel_layers, durable, gc, caches',
      "config.toml:7: network.vswitches: must have at least one entry",
      "config.toml:11: unknown key network.vpcs[0].nat: known here are id, cidr, ipv6_cidr, nat_gateway, snat_entries",
      "config.toml:12: unknown key nowhere: known here are instance, root, state, profile, grpc, streaming, metrics, runtime, images, registry, network, storage, manifests, cluster",
    ],
  ],
  [
    "thresholds and ages of the collection that can't be",
    '[images.gc]\nhigh_threshold = 70\nmaximum_age = "7d"\nminimum_age = "-1s"\ninterval = "10000h"\npinned = [""]\n',
    [
      "config.toml:1: images.gc: low_threshold, 80, must be less than high_threshold, 70",
      'config.toml:3: images.gc.maximum_age = "7d": must be a duration such as "2m" or "168h", at most "8760h"',
      'config.toml:4: images.gc.minimum_age = "-1s": must be a duration such as "2m" or "168h", at most "8760h"',
      'config.toml:5: images.gc.interval = "10000h": must be a duration such as "2m" or "168h", at most "8760h"',
      'config.toml:6: images.gc.pinned[0] = "": must be text that is not empty',
    ],
  ],
  [
    "credentials that can't be looked for",
    '[registry]\ndocker_config = "config.json"\ncredential_providers = "/p.yaml"\n[registry.acr]\nregion = "Hangzhou"\nendpoint = "https://cr.x.com/path"\naccess_key_file = "/k"\nram_role = "r"\n',
    [
      'config.toml:2: registry.docker_config = "config.json": must be an absolute path, empty for none',
      'config.toml:3: registry.credential_providers = "/p.yaml": must come with credential_provider_bin_dir',
      'config.toml:5: registry.acr.region = "Hangzhou": must be a region such as "cn-hangzhou", empty for none',
      'config.toml:6: registry.acr.endpoint = "https://cr.x.com/path": must be an https URL such as "https://cr.{region}.aliyuncs.com", without path',
      'config.toml:8: registry.acr.ram_role = "r": must not come with access_key_file',
    ],
  ],
  ["a syntax error", 'root = "/r"\nstate = /run\n', ["config.toml:2: not TOML at column 9: invalid value"]],
  [
    "the same key twice",
    'root = "/r"\nroot = "/s"\n',
    ["config.toml:2: not TOML at column 1: trying to redefine an already defined table or value"],
  ],
  [
    "a key that is no key of ours but of every object",
    "[__proto__]\na = 1",
    ["config.toml:1: not TOML at column 2: document contains an unsafe property"],
  ],
  [
    "wrong types",
    'instance = 1\nroot = ["/"]\nnetwork = "x"\ngrpc = []\n[images]\nparallel_layers = 1.5\ndurable = "yes"\n',
    [
      "config.toml:1: instance = 1: must be 1 to 16 characters of a-z, 0-9 and -, starting with a letter or digit",
      "config.toml:2: root: must be an absolute path",
      'config.toml:3: network = "x": must be a table',
      "config.toml:4: grpc: must be a table",
      "config.toml:6: images.parallel_layers = 1.5: must be a whole number, 0 for as many as the cores allow",
      'config.toml:7: images.durable = "yes": must be true or false',
    ],
  ],
  [
    "wrong values",
    `instance = "Demo"\nroot = "relative"\nstate = "/${long}"\nprofile = "ecs"\n[grpc]\naddress = "unix:relative"\n[metrics]\naddress = "9977"\n[streaming]\naddress = "[::1]:65536"\n[storage]\nephemeral_size = "30 GB"\n[images]\nparallel_layers = -1`,
    [
      'config.toml:1: instance = "Demo": must be 1 to 16 characters of a-z, 0-9 and -, starting with a letter or digit',
      'config.toml:2: root = "relative": must be an absolute path',
      `config.toml:3: state = "/${long.slice(0, 75)}…: must be at most 90 bytes: sockets lie in it, and Linux takes no longer path for them`,
      'config.toml:4: profile = "ecs": must be "eci" or "node"',
      'config.toml:6: grpc.address = "unix:relative": must be an absolute path',
      'config.toml:8: metrics.address = "9977": must be "host:port", IPv6 hosts in brackets, or empty for none',
      'config.toml:10: streaming.address = "[::1]:65536": must be "host:port", IPv6 hosts in brackets',
      'config.toml:12: storage.ephemeral_size = "30 GB": must be a size such as "30Gi"',
      "config.toml:14: images.parallel_layers = -1: must be 0 or more",
    ],
  ],
  [
    "what is not built yet",
    '[grpc]\ntcp_address = "0.0.0.0:1"\n[grpc.tls]\ncert = "/c"\n[images]\nsnapshotter = "zfs"\n[network]\nprovider = "aliyun"\n[cluster]\netcd_endpoints = ["http://e"]',
    [
      'config.toml:2: grpc.tcp_address = "0.0.0.0:1": not built yet: must be ""',
      'config.toml:4: grpc.tls.cert = "/c": not built yet: must be left out, with grpc.tcp_address = ""',
      'config.toml:6: images.snapshotter = "zfs": must be "auto", "overlay" or "erofs"',
      'config.toml:8: network.provider = "aliyun": not built yet: must be "local-vpc" or "cni"',
      "config.toml:10: cluster.etcd_endpoints: not built yet: must be empty",
    ],
  ],
  [
    "CNI settings out of range",
    '[network.cni]\nbin_dirs = []\nplugin_timeout_seconds = 0\nconf_dir = "net.d"',
    [
      "config.toml:2: network.cni.bin_dirs: must name a directory at least",
      "config.toml:3: network.cni.plugin_timeout_seconds = 0: must be 1 or more",
      'config.toml:4: network.cni.conf_dir = "net.d": must be an absolute path',
    ],
  ],
  [
    "streams for other machines without TLS",
    '[streaming]\naddress = "0.0.0.0:10010"',
    ['config.toml:2: streaming.address = "0.0.0.0:10010": must be a loopback address unless cert and key are set'],
  ],
  [
    "a certificate without its key",
    '[streaming]\naddress = "10.0.0.7:10010"\ncert = "/etc/podling/stream.pem"',
    ['config.toml:3: streaming.cert = "/etc/podling/stream.pem": must come with streaming.key'],
  ],
  [
    "a relative certificate",
    '[streaming]\ncert = "a.pem"\nkey = "/k.pem"',
    ['config.toml:2: streaming.cert = "a.pem": must be an absolute path, empty for none'],
  ],
  [
    "security groups that say what they can't",
    `${ownNetwork}[[network.security_groups]]\nid = "sg"\nvpc = "vpc-a"\nrules = [{ direction = "ingress", protocol = "icmp", ports = "80", source = "10.0.0.0/8" }]`,
    [
      'config.toml:15: network.security_groups[0].rules[0].ports = "80": must be left out: only "tcp" and "udp" have ports',
    ],
  ],
  [
    "a provider nobody knows",
    '[network]\nprovider = "calico"',
    ['config.toml:2: network.provider = "calico": must be "local-vpc" or "cni"'],
  ],
  [
    "handlers",
    '[runtime]\ndefault_handler = "runsc"\n[runtime.handlers.kata]\nbinary = "a b"\n[runtime.handlers."a/b"]\nshim = "s"',
    [
      'config.toml:2: runtime.default_handler = "runsc": must be one of [runtime.handlers.NAME]: "runc", "crun", "kata", "a/b"',
      "config.toml:3: runtime.handlers.kata.shim is missing: must be a program's name or absolute path",
      'config.toml:4: runtime.handlers.kata.binary = "a b": must be empty or a program\'s name or absolute path',
      "config.toml:5: runtime.handlers.\"a/b\": must be named with 1 to 63 letters, digits, '.', '_' and '-'",
    ],
  ],
  [
    "vSwitches that fit no VPC, and ids used twice",
    `${ownNetwork.replace('vpc = "vpc-a"', 'vpc = "vpc-b"')}[[network.vpcs]]\nid = "vpc-a"\ncidr = "10.8.0.0/16"\nipv6_cidr = "fd00:8::/56"`,
    [
      'config.toml:8: network.vswitches[0].vpc = "vpc-b": must be one of the ids of [[network.vpcs]]: "vpc-a", "vpc-a"',
      'config.toml:13: network.vpcs[1].id = "vpc-a": must differ from every other id',
    ],
  ],
];

describe("loadConfig()", () => {
  test.each(accepted)("takes %s", (_, text, changes) => {
    expect(load(text)).toEqual({ ...defaults, ...changes });
  });

  test.each(refused)("refuses %s", (_, text, faults) => {
    expect(faultsOf(write({ "config.toml": text }))).toEqual(faults);
  });

  test("lays drop-ins over the file in the order of their names, merging entries by id", () => {
    const path = write({
      "config.toml": `profile = "node"\n${ownNetwork}`,
      "conf.d/20-b.toml": 'instance = "second"\n[[network.vswitches]]\nid = "vsw-a"\nzone = "y"\n',
      "conf.d/10-a.toml": `instance = "first"\n[[network.vswitches]]\nid = "vsw-b"\nvpc = "vpc-a"\nzone = "x"\ncidr = "10.9.16.0/20"\nipv6_cidr = "fd00:9:0:1::/64"\n`,
      "conf.d/30-c.conf": "not read at all",
    });
    const config = loadConfig(path);
    expect([config.instance, config.profile]).toEqual(["second", "node"]);
    expect(config.network.vpcs.map(({ id }) => id)).toEqual(["vpc-a"]);
    expect(config.network.vswitches.map(({ id, zone, cidr }) => [id, zone, cidr])).toEqual([
      ["vsw-a", "y", "10.9.0.0/20"],
      ["vsw-b", "x", "10.9.16.0/20"],
    ]);
  });

  test("names the drop-in and the line of every fault, in all files at once", () => {
    const path = write({
      "config.toml": 'profile = "x"\n',
      "conf.d/1.toml": "\n[images]\nfoo = 1\n",
      "conf.d/2.toml": '[storage]\nephemeral_size = "-1"\n[[network.vswitches]]\nid = "vsw-a"\n',
    });
    expect(faultsOf(path)).toEqual([
      "conf.d/1.toml:3: unknown key images.foo: known here are snapshotter, parallel_layers, durable, gc, caches",
      'conf.d/2.toml:2: storage.ephemeral_size = "-1": must be a size such as "30Gi"',
      "conf.d/2.toml:3: network.vpcs: must have at least one entry",
      "conf.d/2.toml:3: network.vswitches[0].cidr is missing: must be text that is not empty",
      "conf.d/2.toml:3: network.vswitches[0].vpc is missing: must be text that is not empty",
      "conf.d/2.toml:3: network.vswitches[0].zone is missing: must be text that is not empty",
      'config.toml:1: profile = "x": must be "eci" or "node"',
    ]);
  });

  test("gives the fault that a section's owner finds its line", () => {
    const path = write({ "config.toml": `${ownNetwork}`.replace("10.9.0.0/20", "10.8.0.0/20") });
    const checks = [({ network }: Config) => void parseNetworkConfig(network)];
    expect(() => loadConfig(path, { checks })).toThrow(
      `${path}:10: Invalid network.vswitches[0].cidr "10.8.0.0/20": must be inside "10.9.0.0/16" of VPC "vpc-a"`,
    );
  });

  test("of a missing file is NotFound, or the defaults where that is allowed", () => {
    const path = join(root, "nowhere", "config.toml");
    expect(() => loadConfig(path)).toThrow(`Cannot read the configuration "${path}": there is no such file`);
    expect(loadConfig(path, { mayBeAbsent: true })).toEqual(defaults);
  });

  test("of something that is no file fails with the reason", () => {
    expect(() => loadConfig(root)).toThrow(AgentError);
  });
});
