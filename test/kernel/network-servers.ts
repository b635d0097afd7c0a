import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { newId } from "../../src/common/ids.ts";
import { outsideRange } from "../support/own-numbers.ts";
import { pythonServer } from "./network-bed.ts";

/** Servers of a test, each of which tells its callers the address it saw. */
export class NetworkServers implements Disposable {
  readonly #servers: ChildProcess[] = [];

  /** Listens inside a named namespace. */
  async listen(netns: string, address: string, port: number): Promise<void> {
    const argv = ["netns", "exec", netns, "python3", "-c", pythonServer, address, String(port)];
    const server = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
    this.#servers.push(server);
    await once(server.stdout, "data");
  }

  [Symbol.dispose](): void {
    for (const server of this.#servers.splice(0)) server.kill("SIGKILL");
  }
}

/** A namespace that plays the internet: one address, reached through the host. */
export class FakeInternet implements Disposable {
  readonly netns = `nti${newId().slice(0, 8)}`;
  readonly #net = outsideRange();
  readonly #net6 = `2001:db8:${randomInt(1, 0xffff).toString(16)}`;
  readonly address = `${this.#net}.9`;
  readonly ipv6 = `${this.#net6}::9`;
  /** The host's, on its link. */
  readonly hostAddress = `${this.#net}.1`;
  readonly hostIpv6 = `${this.#net6}::1`;

  constructor() {
    const { netns } = this;
    this.#ip("netns", "add", netns);
    this.#ip("link", "add", netns, "type", "veth", "peer", "name", "e0", "netns", netns);
    this.#ip("addr", "add", `${this.hostAddress}/24`, "dev", netns);
    this.#ip("addr", "add", `${this.hostIpv6}/64`, "dev", netns, "nodad");
    this.#ip("link", "set", netns, "up");
    this.#ip("-n", netns, "link", "set", "lo", "up");
    this.#ip("-n", netns, "addr", "add", `${this.address}/24`, "dev", "e0");
    this.#ip("-n", netns, "addr", "add", `${this.ipv6}/64`, "dev", "e0", "nodad");
    this.#ip("-n", netns, "link", "set", "e0", "up");
  }

  /** Sends a range to the host. */
  route(destination: string): void {
    const via = destination.includes(":") ? this.hostIpv6 : this.hostAddress;
    this.#ip("-n", this.netns, "route", "add", destination, "via", via);
  }

  [Symbol.dispose](): void {
    this.#ip("netns", "delete", this.netns);
  }

  #ip(...argv: readonly string[]): void {
    execFileSync("ip", argv);
  }
}
