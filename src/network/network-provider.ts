import type { HostPort } from "./host-port.ts";
import type { PodInterface } from "./pod-network.ts";

/** Whose interface it is, and where the pod's network namespace is pinned. */
export interface AttachRequest {
  readonly sandboxId: string;
  /** Pin of the pod's network namespace, which exists already and has no "eth0". */
  readonly netnsPath: string;
  readonly namespace: string;
  readonly name: string;
  /** The pod's in Kubernetes; absent or empty: not told. */
  readonly uid?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hostPorts?: readonly HostPort[];
  /** How the pod resolves names; absent: as the host does. */
  readonly dns?: PodDns;
}

/** What a pod's resolv.conf says. */
export interface PodDns {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** Whether new pods can get a network, in the words of CRI's NetworkReady condition. */
export interface NetworkStatus {
  readonly ready: boolean;
  /** One CamelCase word; "" when ready. */
  readonly reason: string;
  readonly message: string;
}

/** What gives pods their network. A provider keeps its own durable records, and never needs to ask for what it gave. */
export interface NetworkProvider {
  /**
   * Brings the kernel in line with the records: what matches is adopted, what misses is made again, what is left over of
   * this instance goes. Call it once, before anything else.
   * @param live ids of the sandboxes that have records; everything of others is released
   * @throws AgentError FailedPrecondition, SystemFailure
   */
  start(live: ReadonlySet<string>): Promise<void>;
  /**
   * Gives a pod its interface and addresses. The allocation is durable before an address is used. The same sandbox again
   * gets the same answer.
   * @throws AgentError NoAddressLeft, InvalidArgument, Unavailable, SystemFailure; then nothing is left behind
   */
  attach(request: AttachRequest): Promise<PodInterface>;
  /**
   * Takes the interface away and lets the addresses cool down; done already, or never attached, is done. The pod's
   * namespace may be gone; its pin is not touched.
   * @throws AgentError SystemFailure; then the addresses stay taken and it can be called again
   */
  detach(sandboxId: string, netnsPath: string): Promise<void>;
  status(): NetworkStatus;
  /** Ends background work. Pods keep their network. */
  stop(): Promise<void>;
}
