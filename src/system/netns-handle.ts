import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { hostNetns } from "./kernel-command.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { NftablesSession } from "./nftables.ts";
import type { HomeNamespaces } from "./thread-namespaces.ts";

/** One network namespace as the worker holds it: a descriptor, and sockets opened in it when first needed. */
export class NetnsHandle implements Disposable {
  /** undefined: the host's. */
  readonly fd: number | undefined;
  readonly #home: HomeNamespaces;
  readonly #path: string;
  readonly #inode: number;
  #route: NetlinkSocket | undefined;
  #netfilter: NetlinkSocket | undefined;
  #nftables: NftablesSession | undefined;

  /** @throws SystemError ENOENT when there is no such pin */
  constructor(home: HomeNamespaces, path: string) {
    this.#home = home;
    this.#path = path;
    try {
      this.fd = path === hostNetns ? undefined : openSync(path, "r");
      this.#inode = this.fd === undefined ? 0 : fstatSync(this.fd).ino;
    } catch (cause) {
      throw new SystemError(`open network namespace "${path}"`, { errno: errnoOf(cause) ?? "EIO", cause });
    }
  }

  /** Whether the path still leads to this namespace, and not to a later one or to nothing. */
  get current(): boolean {
    return this.fd === undefined || statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  get route(): NetlinkSocket {
    this.#route ??= this.inside(() => new NetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  get netfilter(): NetlinkSocket {
    this.#netfilter ??= this.inside(() => new NetlinkSocket(NETLINK_NETFILTER));
    return this.#netfilter;
  }

  /** Runs nftables commands. @throws SystemError */
  nftables(commands: string | readonly object[]): string {
    return this.inside(() => {
      this.#nftables ??= new NftablesSession();
      return this.#nftables.run(commands);
    });
  }

  /** Runs the body with the thread in the namespace. */
  inside<Result>(body: () => Result): Result {
    if (this.fd === undefined) return body();
    return this.#home.inside(this.fd, `open "${this.#path}"`, body);
  }

  [Symbol.dispose](): void {
    this.#route?.[Symbol.dispose]();
    this.#netfilter?.[Symbol.dispose]();
    this.#nftables?.[Symbol.dispose]();
    if (this.fd !== undefined) closeSync(this.fd);
  }
}

/**
 * The handles of one worker. A socket keeps its namespace alive, so they are closed when the batch ends; only the
 * host's and those somebody asked to hold stay open for the next batch.
 */
export class NetnsHandles {
  readonly #home: HomeNamespaces;
  readonly #open = new Map<string, NetnsHandle>();
  readonly #held = new Set([hostNetns]);

  constructor(home: HomeNamespaces) {
    this.#home = home;
  }

  /** @throws SystemError ENOENT when there is no such pin */
  get(path: string): NetnsHandle {
    const known = this.#open.get(path);
    if (known?.current) return known;
    this.close(path);
    const handle = new NetnsHandle(this.#home, path);
    this.#open.set(path, handle);
    return handle;
  }

  /** Keeps a namespace's handle open after the batch. */
  hold(path: string): void {
    this.#held.add(path);
  }

  /** Lets go of a namespace whose pin is about to go. */
  forget(path: string): void {
    this.close(path);
    this.#held.delete(path);
  }

  close(path: string): void {
    this.#open.get(path)?.[Symbol.dispose]();
    this.#open.delete(path);
  }

  /** Lets go of everything, for the thread is about to end and its sockets would outlive it. */
  closeAll(): void {
    for (const path of this.#open.keys()) this.close(path);
  }

  /** Ends a batch. */
  closeTransient(): void {
    for (const [path, handle] of this.#open) {
      if (!this.#held.has(path) || !handle.current) this.close(path);
    }
  }
}
