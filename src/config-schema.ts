import { hostname } from "node:os";
import { z } from "zod";
import { type InstanceName, parseInstanceName } from "./common/ids.ts";
import {
  absolutePath,
  apiUrl,
  duration,
  filled,
  flag,
  id,
  ipv6Range,
  isInstanceName,
  isListenAddress,
  isProgram,
  listenAddress,
  metadataUrl,
  oneOfBuilt,
  optionalPath,
  parseSize,
  percent,
  program,
  section,
  socketPath,
  text,
} from "./config-fields.ts";
import { type SecurityGroup, securityGroupSchema } from "./manifests/security-group.ts";

/** How the runtime starts pods that ask for this handler; several may share one shim. */
export interface RuntimeHandler {
  readonly name: string;
  /** The shim's program: a name looked up in PATH, or an absolute path. */
  readonly shim: string;
  /** The OCI runtime the shim runs: a name, an absolute path, or empty for a shim that needs none. */
  readonly binary: string;
}

/** One VPC: a router of its own. CIDRs are text, not yet checked; `ipv6Cidr` empty: pods get no IPv6 address. */
export interface VpcSettings {
  readonly id: string;
  readonly cidr: string;
  readonly ipv6Cidr: string;
  readonly natGateway: boolean;
  /** Whose packets the NAT gateway translates, and to which EIP; undefined: all of the VPC, as the host. */
  readonly snatEntries?: readonly { readonly source: string; readonly eip: string }[];
}

/** An address of the internet that pods ask for by its id. `bandwidth` is in Mbit/s. */
export interface EipSettings {
  readonly id: string;
  readonly address: string;
  readonly bandwidth: number;
}

/** Addresses for EIPs that come and go with a pod. */
export interface EipPoolSettings {
  readonly id: string;
  readonly cidr: string;
  readonly isp: "BGP" | "BGP_PRO";
}

/** One vSwitch: a range of its VPC's addresses in one zone. CIDRs as in {@link VpcSettings}. */
export interface VSwitchSettings {
  readonly id: string;
  readonly vpc: string;
  readonly zone: string;
  readonly cidr: string;
  readonly ipv6Cidr: string;
  /** Blocks and ranges that are never given out, not yet checked. */
  readonly reserved: readonly string[];
}

/** Where images come from, and as whom they are pulled when a pull does not say. Empty texts stand for what there is not. */
export interface RegistryConfig {
  readonly configPath: string;
  /** A docker config.json. */
  readonly dockerConfig: string;
  /** A kubelet's CredentialProviderConfig, and the directory of its programs. */
  readonly credentialProviders: string;
  readonly credentialProviderBinDir: string;
  readonly acr: {
    readonly region: string;
    /** URL with "{region}". */
    readonly endpoint: string;
    /** One of these two at most. */
    readonly accessKeyFile: string;
    readonly ramRole: string;
    readonly metadataEndpoint: string;
  };
}

/** When images that nobody uses are removed. */
export interface ImageGcConfig {
  /** Percent of the images' file system in use at which images go; 100: never. */
  readonly highPercent: number;
  /** Percent in use at which enough have gone. */
  readonly lowPercent: number;
  /** What was in use less long ago stays. */
  readonly minimumAgeMs: number;
  /** What has been out of use for this long goes; 0: nothing does for that. */
  readonly maximumAgeMs: number;
  /** Between two looks; 0: only when asked to. */
  readonly intervalMs: number;
  /** References and patterns with `*`, not yet checked. */
  readonly pinned: readonly string[];
}

/** Everything an agent is told, complete: what the file leaves out has its default. Paths are absolute and normal. */
export interface Config {
  readonly instance: InstanceName;
  readonly root: string;
  readonly state: string;
  readonly profile: "eci" | "node";
  /** `address` is a socket's path. */
  readonly grpc: { readonly address: string };
  /**
   * `address` is `host:port`; the files hold PEM texts, and are empty without TLS, which only a loopback address may do
   * without.
   */
  readonly streaming: { readonly address: string; readonly cert: string; readonly key: string };
  /** `host:port`; empty: nothing is served. */
  readonly metrics: { readonly address: string };
  readonly runtime: {
    readonly defaultHandler: string;
    readonly handlers: readonly RuntimeHandler[];
    readonly cdiSpecDirs: readonly string[];
    /** How many shims are launched ahead of the pods that will use them. */
    readonly warmShims: number;
  };
  /** `parallelLayers` 0: as many as the cores allow. */
  readonly images: {
    /** "auto": what the machine is good for. */
    readonly snapshotter: "auto" | "overlay" | "erofs";
    readonly parallelLayers: number;
    readonly durable: boolean;
    readonly gc: ImageGcConfig;
    /** How many image caches there may be. */
    readonly caches: { readonly limit: number };
  };
  readonly registry: RegistryConfig;
  readonly network: {
    readonly provider: "local-vpc" | "cni";
    readonly cni: {
      /** Its first network by file name is the pods'. */
      readonly confDir: string;
      readonly binDirs: readonly string[];
      readonly pluginTimeoutMs: number;
      /** Whether plugins are told now and then which attachments there are, to drop all others. */
      readonly gc: boolean;
    };
    readonly vpcs: readonly VpcSettings[];
    readonly vswitches: readonly VSwitchSettings[];
    readonly securityGroups: readonly SecurityGroup[];
    readonly eips: readonly EipSettings[];
    readonly eipPools: readonly EipPoolSettings[];
  };
  readonly storage: { readonly ephemeralSizeBytes: number };
  readonly manifests: { readonly dir: string };
  /** `node` is never empty; `id` is part of what a fixed address is held for. */
  readonly cluster: { readonly id: string; readonly node: string };
}

/** Leaves room for the names of the sockets in the state directory. */
const longestState = 90;

const snatEntry = z.strictObject({ source: filled, eip: z.string("must be the id of an EIP").default("") });
const vpc = z.strictObject({
  id,
  cidr: filled,
  ipv6_cidr: ipv6Range,
  nat_gateway: flag.default(true),
  snat_entries: z.array(snatEntry, "must be an array of SNAT entries").optional(),
});
const mbps = z.int("must be Mbit/s, a whole number").min(1, "must be 1 to 10000").max(10_000, "must be 1 to 10000");
const eip = z.strictObject({ id, address: filled, bandwidth: mbps.default(5) });
const eipPool = z.strictObject({
  id,
  cidr: filled,
  isp: z.enum(["BGP", "BGP_PRO"], 'must be "BGP" or "BGP_PRO"').default("BGP"),
});
const reserved = z
  .array(z.string('must be text such as "10.88.1.0/28" or "10.88.0.9-10.88.0.20"'), "must be an array of text")
  .default([]);
const vswitch = z.strictObject({ id, vpc: filled, zone: filled, cidr: filled, ipv6_cidr: ipv6Range, reserved });
const handler = z.strictObject({
  shim: program,
  binary: text("empty or a program's name or absolute path", (name) => name === "" || isProgram(name)).default(""),
});
const handlerName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, "must be named with 1 to 63 letters, digits, '.', '_' and '-'");
const tlsNotBuilt = z.literal("", { error: 'not built yet: must be left out, with grpc.tcp_address = ""' });

/** The file's own shape, snake_case; defaults were laid under it before. Messages say what would be right. */
export const configSchema = z.strictObject({
  instance: text("1 to 16 characters of a-z, 0-9 and -, starting with a letter or digit", isInstanceName),
  root: absolutePath,
  state: absolutePath.refine((path) => Buffer.byteLength(path) <= longestState, {
    error: `must be at most ${longestState} bytes: sockets lie in it, and Linux takes no longer path for them`,
  }),
  profile: z.enum(["eci", "node"], 'must be "eci" or "node"'),
  grpc: section({
    address: socketPath.optional(),
    tcp_address: z.literal("", { error: 'not built yet: must be ""' }),
    tls: section({ cert: tlsNotBuilt, key: tlsNotBuilt, client_ca: tlsNotBuilt }).partial().optional(),
  }),
  streaming: section({ address: listenAddress, cert: optionalPath, key: optionalPath }),
  metrics: section({
    address: text(
      '"host:port", IPv6 hosts in brackets, or empty for none',
      (address) => address === "" || isListenAddress(address),
    ),
  }),
  runtime: section({
    default_handler: filled,
    cdi_spec_dirs: z.array(absolutePath, "must be an array of absolute paths"),
    warm_shims: z.int("must be a whole number, 0 for none").min(0, "must be 0 or more").max(64, "must be at most 64"),
    handlers: z.record(handlerName, handler, { error: "must be tables [runtime.handlers.NAME]" }),
  }),
  images: section({
    snapshotter: z.enum(["auto", "overlay", "erofs"], { error: 'must be "auto", "overlay" or "erofs"' }),
    parallel_layers: z
      .int("must be a whole number, 0 for as many as the cores allow")
      .min(0, "must be 0 or more")
      .max(64, "must be at most 64"),
    durable: flag,
    gc: section({
      high_threshold: percent,
      low_threshold: percent,
      minimum_age: duration,
      maximum_age: duration,
      interval: duration,
      pinned: z.array(filled, "must be an array of image references, in which * stands for any text"),
    }),
    caches: section({
      limit: z.int("must be a whole number").min(1, "must be 1 or more").max(10_000, "must be at most 10000"),
    }),
  }),
  registry: section({
    config_path: absolutePath,
    docker_config: optionalPath,
    credential_providers: optionalPath,
    credential_provider_bin_dir: optionalPath,
    acr: section({
      region: text('a region such as "cn-hangzhou", empty for none', (name) =>
        /^(?:[a-z]{2,}-[a-z0-9-]+)?$/.test(name),
      ),
      endpoint: apiUrl,
      access_key_file: optionalPath,
      ram_role: text("a RAM role's name, empty for none", (name) => /^[\w.-]{0,64}$/.test(name)),
      metadata_endpoint: metadataUrl,
    }),
  }),
  network: section({
    provider: oneOfBuilt(["local-vpc", "cni"], ["aliyun"]),
    cni: section({
      conf_dir: absolutePath,
      bin_dirs: z.array(absolutePath, "must be an array of absolute paths").min(1, "must name a directory at least"),
      plugin_timeout_seconds: z
        .int("must be a whole number of seconds")
        .min(1, "must be 1 or more")
        .max(600, "must be at most 600"),
      gc: flag,
    }),
    vpcs: z.array(vpc, "must be an array of tables [[network.vpcs]]"),
    vswitches: z.array(vswitch, "must be an array of tables [[network.vswitches]]"),
    security_groups: z.array(securityGroupSchema, "must be an array of tables [[network.security_groups]]"),
    eips: z.array(eip, "must be an array of tables [[network.eips]]").default([]),
    eip_pools: z.array(eipPool, "must be an array of tables [[network.eip_pools]]").default([]),
  }),
  storage: section({
    ephemeral_size: text('a size such as "30Gi"', (size) => (parseSize(size) ?? 0) > 0).transform(
      (size) => parseSize(size) ?? 0,
    ),
  }),
  manifests: section({ dir: absolutePath }),
  cluster: section({
    id: filled,
    etcd_endpoints: z
      .array(z.string("must be text"), "must be an array of text")
      .max(0, "not built yet: must be empty"),
    node: z.string("must be text, empty for the hostname"),
  }),
});

/** Gives the checked file its typed shape. */
export function toConfig(file: z.output<typeof configSchema>): Config {
  return {
    instance: parseInstanceName(file.instance),
    root: file.root,
    state: file.state,
    profile: file.profile,
    grpc: { address: file.grpc.address ?? `${file.state}/podling.sock` },
    streaming: file.streaming,
    metrics: file.metrics,
    runtime: {
      defaultHandler: file.runtime.default_handler,
      cdiSpecDirs: file.runtime.cdi_spec_dirs,
      warmShims: file.runtime.warm_shims,
      handlers: Object.entries(file.runtime.handlers).map(([name, { shim, binary }]) => ({ name, shim, binary })),
    },
    images: {
      snapshotter: file.images.snapshotter,
      parallelLayers: file.images.parallel_layers,
      durable: file.images.durable,
      gc: toImageGc(file.images.gc),
      caches: file.images.caches,
    },
    registry: toRegistry(file.registry),
    network: {
      provider: file.network.provider,
      cni: {
        confDir: file.network.cni.conf_dir,
        binDirs: file.network.cni.bin_dirs,
        pluginTimeoutMs: file.network.cni.plugin_timeout_seconds * 1000,
        gc: file.network.cni.gc,
      },
      vpcs: file.network.vpcs.map(({ id, cidr, ipv6_cidr, nat_gateway, snat_entries }) => ({
        id,
        cidr,
        ipv6Cidr: ipv6_cidr,
        natGateway: nat_gateway,
        ...(snat_entries && { snatEntries: snat_entries }),
      })),
      vswitches: file.network.vswitches.map(({ id, vpc, zone, cidr, ipv6_cidr, reserved }) => ({
        id,
        vpc,
        zone,
        cidr,
        ipv6Cidr: ipv6_cidr,
        reserved,
      })),
      securityGroups: file.network.security_groups,
      eips: file.network.eips,
      eipPools: file.network.eip_pools,
    },
    storage: { ephemeralSizeBytes: file.storage.ephemeral_size },
    manifests: file.manifests,
    cluster: { id: file.cluster.id, node: file.cluster.node === "" ? hostname() : file.cluster.node },
  };
}

function toRegistry({ acr, ...file }: z.output<typeof configSchema>["registry"]): RegistryConfig {
  return {
    configPath: file.config_path,
    dockerConfig: file.docker_config,
    credentialProviders: file.credential_providers,
    credentialProviderBinDir: file.credential_provider_bin_dir,
    acr: {
      region: acr.region,
      endpoint: acr.endpoint,
      accessKeyFile: acr.access_key_file,
      ramRole: acr.ram_role,
      metadataEndpoint: acr.metadata_endpoint,
    },
  };
}

function toImageGc(file: z.output<typeof configSchema>["images"]["gc"]): ImageGcConfig {
  return {
    highPercent: file.high_threshold,
    lowPercent: file.low_threshold,
    minimumAgeMs: file.minimum_age,
    maximumAgeMs: file.maximum_age,
    intervalMs: file.interval,
    pinned: file.pinned,
  };
}
