import { statSync, writeFileSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { forgetConnections } from "./connection-tracking.ts";
import type { KernelCommand, KernelQuery } from "./kernel-command.ts";
import { LinkExecutor } from "./link-executor.ts";
import { listMounts } from "./mountinfo.ts";
import type { NetlinkMessage } from "./netlink-message.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { type NetnsHandle, NetnsHandles } from "./netns-handle.ts";
import { parseAddress, parseLink, parseNeighbour, parseRoute } from "./rtnetlink-dumps.ts";
import { dumpRequest, setLinkRequest } from "./rtnetlink-requests.ts";
import { startTcpConnect } from "./tcp-connect.ts";
import { createPinnedNamespaces, HomeNamespaces, removePins, setHostname } from "./thread-namespaces.ts";

/** Carries out kernel commands on the calling thread, which must be one of their own: it changes namespaces. */
export class KernelExecutor {
  readonly #home = new HomeNamespaces();
  readonly #handles = new NetnsHandles(this.#home);

  /** Runs commands in order and stops at the first that fails. @throws SystemError */
  run(commands: readonly KernelCommand[]): void {
    try {
      for (const command of commands) this.#runIgnoring(command);
    } finally {
      this.#handles.closeTransient();
    }
  }

  /** @throws SystemError */
  query(query: KernelQuery): unknown {
    try {
      return this.#answer(query);
    } finally {
      this.#handles.closeTransient();
    }
  }

  /** Closes what the executor holds open. */
  close(): void {
    this.#handles.closeAll();
  }

  #runIgnoring(command: KernelCommand): void {
    switch (command.kind) {
      case "createNamespaces":
        createPinnedNamespaces(this.#home, command.pins, command.hostname, () => {
          if (command.pins.net !== undefined) loopbackUp();
          writeFiles(command.sysctls ?? {});
        });
        break;
      case "podSysctls":
        this.#home.insidePins(command.pins, () => writeFiles(command.values));
        break;
      case "furnishNamespaces":
        this.#home.insidePins(command.pins, () => {
          if (command.pins.net !== undefined) loopbackUp();
          if (command.pins.uts !== undefined) setHostname(command.hostname);
          writeFiles(command.sysctls);
        });
        break;
      case "removePins":
        for (const path of command.paths) this.#handles.forget(path);
        removePins(command.paths);
        break;
      case "hold":
        this.#handles.hold(command.netns);
        break;
      case "links": {
        const executor = new LinkExecutor(this.#handles, command.netns);
        for (const request of command.requests) ignoring(command.ignore, () => executor.execute(request));
        break;
      }
      case "nftables":
        ignoring(command.ignore, () => {
          this.#handles.get(command.netns).nftables(command.commands);
        });
        break;
      case "sysctls":
        this.#handles.get(command.netns).inside(() => writeSysctls(command.values));
        break;
      case "forgetConnections":
        forgetConnections(this.#handles.get(command.netns).netfilter, command.addresses);
        break;
      default:
        command satisfies never;
    }
  }

  #answer(query: KernelQuery): unknown {
    switch (query.kind) {
      case "listLinks":
        return this.#dump(query.netns, "link", parseLink);
      case "listAddresses":
        return this.#dump(query.netns, "address", parseAddress);
      case "listRoutes":
        return this.#dump(query.netns, "route", parseRoute);
      case "listNeighbours":
        return this.#dump(query.netns, "neighbour", parseNeighbour);
      case "listNftables":
        return JSON.parse(this.#handles.get(query.netns).nftables(query.command) || "{}");
      case "connect":
        return this.#handles.get(query.netns).inside(() => startTcpConnect(query.address, query.port));
      case "inspectPins":
        return inspectPins(query.paths);
      default:
        return query satisfies never;
    }
  }

  #dump<Info>(
    netns: string,
    what: "link" | "address" | "route" | "neighbour",
    parse: (message: NetlinkMessage) => Info | undefined,
  ): readonly Info[] {
    const handle: NetnsHandle = this.#handles.get(netns);
    const messages = handle.route.dump(`list every ${what}`, dumpRequest(what));
    return messages.map(parse).filter((info) => info !== undefined);
  }
}

/** Every pod may count on its loopback interface, with or without another. */
function loopbackUp(): void {
  using socket = new NetlinkSocket(NETLINK_ROUTE);
  socket.change('set link "lo" up', setLinkRequest("lo", { up: true }));
}

/** /proc/sys/net shows the namespace of the thread that opens the file. */
function writeSysctls(values: Readonly<Record<string, string>>): void {
  for (const key of Object.keys(values)) {
    if (!/^net\/[a-z0-9_./-]+$/i.test(key) || key.includes("..")) {
      throw new SystemError(`set sysctl "${key}": only keys under net/ belong to a network namespace`, {
        errno: "EINVAL",
      });
    }
  }
  writeFiles(values);
}

function writeFiles(values: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(values)) {
    try {
      writeFileSync(`/proc/sys/${key}`, value);
    } catch (cause) {
      throw new SystemError(`set sysctl "${key}" to "${value}"`, { errno: errnoOf(cause) ?? "EIO", cause });
    }
  }
}

/** A pin is a mount of a namespace file; an empty file of that name is only a half-made one. */
function inspectPins(paths: readonly string[]): Readonly<Record<string, number>> {
  const pinned = new Set(listMounts().flatMap(({ type, target }) => (type === "nsfs" ? [target] : [])));
  const found: Record<string, number> = {};
  for (const path of paths) {
    const inode = pinned.has(path) ? statSync(path, { throwIfNoEntry: false })?.ino : undefined;
    if (inode !== undefined) found[path] = inode;
  }
  return found;
}

function ignoring(errnos: readonly string[] | undefined, body: () => void): void {
  try {
    body();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || !errnos?.includes(errno)) throw error;
  }
}
