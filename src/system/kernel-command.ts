/**
 * What the kernel worker can be asked to do: plain data, so that plans can be compared in tests and copied to the
 * worker's thread. A network namespace is named by the path of its pin, such as "/run/netns/pod"; {@link hostNetns}
 * is the one the agent runs in.
 */
export const hostNetns = "";

/** Paths the pod's namespaces are pinned at; a missing one stays the host's. */
export interface NamespacePins {
  readonly net?: string;
  readonly ipc?: string;
  readonly uts?: string;
}

/** One change of links, addresses, routes or neighbours. `step` of an error is derived from it. */
export type LinkRequest =
  | {
      readonly kind: "addVeth";
      /** At most 15 characters. */
      readonly name: string;
      /** "ee:ff:ff:ff:ff:ff"; undefined: the kernel picks one. */
      readonly mac?: string;
      readonly mtu: number;
      /** Tells owner and purpose to a later sweep. */
      readonly alias: string;
      readonly peer: { readonly name: string; readonly netns: string; readonly mac?: string };
    }
  | {
      readonly kind: "setLink";
      readonly link: string;
      readonly up?: boolean;
      readonly alias?: string;
      readonly group?: number;
    }
  | { readonly kind: "deleteLink"; readonly link: string }
  /** One kernel request for all links of a group: as dear as one link alone. */
  | { readonly kind: "deleteGroup"; readonly group: number }
  | {
      readonly kind: "addAddress";
      readonly link: string;
      readonly address: string;
      readonly prefixLength: number;
      /** No on-link route for the prefix: neighbours are reached through the gateway. */
      readonly noPrefixRoute?: boolean;
    }
  | ({ readonly kind: "addRoute" } & RouteRequest)
  | ({ readonly kind: "deleteRoute" } & RouteRequest)
  | { readonly kind: "addNeighbour"; readonly link: string; readonly address: string; readonly mac: string }
  | { readonly kind: "deleteNeighbour"; readonly link: string; readonly address: string }
  /** How long the kernel waits before it answers ARP for somebody else; its default is up to 0.8 s. */
  | { readonly kind: "setProxyDelay"; readonly link: string; readonly delayMs: number }
  /** A link whose queue holds back what other links' filters send to it, and which gives it back to them. */
  | { readonly kind: "addIfb"; readonly name: string; readonly alias: string }
  /** EEXIST if the link has it already. */
  | { readonly kind: "addQueue"; readonly link: string; readonly queue: Queue }
  | { readonly kind: "setClass"; readonly link: string; readonly class: HtbClass }
  /** The one filter of a link's htb queue, or of its ingress queue, which sends packets to another link. */
  | {
      readonly kind: "setFilter";
      readonly link: string;
      readonly program: readonly BpfInstruction[];
      readonly redirectTo?: string;
    };

/** A queue of a link (tc(8)): htb is its root, bfifo that of one of its classes, ingress is for what arrives. */
export type Queue =
  | { readonly type: "htb"; readonly defaultClass: number }
  | { readonly type: "bfifo"; readonly class: number; readonly limitBytes: number }
  | { readonly type: "ingress" };

/** A class of a link's htb queue: what it has for itself, and what it may get of its parent's. */
export interface HtbClass {
  readonly minor: number;
  /** Minor number of the class above; 0: the queue itself. */
  readonly parent: number;
  readonly rateBytes: number;
  readonly ceilBytes: number;
  /** What it may send at once. */
  readonly burstBytes: number;
}

/** One instruction of classic BPF (struct sock_filter): code, jumps if true and false, value. */
export type BpfInstruction = readonly [code: number, jumpTrue: number, jumpFalse: number, value: number];

export interface RouteRequest {
  /** "10.0.0.0/16"; the family's default route is "0.0.0.0/0" or "::/0". */
  readonly destination: string;
  /** Packets to it are answered with an ICMP error instead of being sent. */
  readonly unreachable?: true;
  readonly link?: string;
  readonly gateway?: string;
  /** Source address of packets the host itself sends this way. */
  readonly source?: string;
}

/**
 * A change. `ignore` lists errno names that mean the goal was reached already.
 */
export type KernelCommand =
  | {
      readonly kind: "createNamespaces";
      readonly pins: NamespacePins;
      readonly hostname: string;
      /** Keys relative to /proc/sys, of the namespaces that are made. */
      readonly sysctls?: Readonly<Record<string, string>>;
    }
  /** Keys relative to /proc/sys that belong to the pinned namespaces. */
  | {
      readonly kind: "podSysctls";
      readonly pins: NamespacePins;
      readonly values: Readonly<Record<string, string>>;
    }
  /** For namespaces that others made: brings "lo" up and sets the host name, as createNamespaces does. */
  | {
      readonly kind: "furnishNamespaces";
      readonly pins: NamespacePins;
      readonly hostname: string;
      readonly sysctls: Readonly<Record<string, string>>;
    }
  | { readonly kind: "removePins"; readonly paths: readonly string[] }
  /**
   * Keeps the worker's sockets in a namespace open until its pin is removed, which saves their making, and, after a
   * change of nftables, a wait of 10 ms for their closing.
   */
  | { readonly kind: "hold"; readonly netns: string }
  | {
      readonly kind: "links";
      readonly netns: string;
      readonly requests: readonly LinkRequest[];
      readonly ignore?: readonly string[];
    }
  /** nftables commands as one transaction: text in nft(8) syntax, or commands of libnftables-json(5). */
  | {
      readonly kind: "nftables";
      readonly netns: string;
      readonly commands: string | readonly object[];
      readonly ignore?: readonly string[];
    }
  /** Keys relative to /proc/sys, such as "net/ipv4/ip_forward". */
  | { readonly kind: "sysctls"; readonly netns: string; readonly values: Readonly<Record<string, string>> }
  /** Forgets every tracked connection from or to the addresses. */
  | { readonly kind: "forgetConnections"; readonly netns: string; readonly addresses: readonly string[] };

/** A question about kernel state. */
export type KernelQuery =
  | { readonly kind: "listLinks"; readonly netns: string }
  | { readonly kind: "listAddresses"; readonly netns: string }
  | { readonly kind: "listRoutes"; readonly netns: string }
  | { readonly kind: "listNeighbours"; readonly netns: string }
  /** @returns the JSON object libnftables prints */
  | { readonly kind: "listNftables"; readonly netns: string; readonly command: string }
  /** Begins a TCP connection from inside the namespace. @returns a TcpConnect, whose descriptor is the caller's */
  | { readonly kind: "connect"; readonly netns: string; readonly address: string; readonly port: number }
  /** Which of the paths are pins of living network namespaces: inode number by path. */
  | { readonly kind: "inspectPins"; readonly paths: readonly string[] };

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly alias: string;
  readonly group: number;
  /** Kind of a virtual link such as "veth", "" for others. */
  readonly type: string;
  /** Index of the other end of a veth, in that end's namespace; 0: none. */
  readonly peerIndex: number;
}

export interface AddressInfo {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefixLength: number;
  readonly tentative: boolean;
}

export interface RouteInfo {
  readonly destination: string;
  readonly table: number;
  /** rtm_type of rtnetlink(7): 1 unicast, 2 local, 7 unreachable. */
  readonly type: number;
  readonly linkIndex: number | undefined;
  readonly gateway: string | undefined;
  readonly source: string | undefined;
}

export interface NeighbourInfo {
  readonly linkIndex: number;
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}
