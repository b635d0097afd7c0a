import type { LinkInfo, LinkRequest, RouteRequest } from "./kernel-command.ts";
import type { NetnsHandle, NetnsHandles } from "./netns-handle.ts";
import { parseLink } from "./rtnetlink-dumps.ts";
import {
  addAddressRequest,
  addIfbRequest,
  addNeighbourRequest,
  addVethRequest,
  deleteGroupRequest,
  deleteLinkRequest,
  deleteNeighbourRequest,
  getLinkRequest,
  proxyDelayRequest,
  routeRequest,
  setLinkRequest,
} from "./rtnetlink-requests.ts";
import { addQueueRequest, setClassRequest, setFilterRequest } from "./traffic-control.ts";

/** Carries out link requests in one namespace; remembers the index of each link for the length of a batch. */
export class LinkExecutor {
  readonly #handles: NetnsHandles;
  readonly #handle: NetnsHandle;
  readonly #indices = new Map<string, number>();

  constructor(handles: NetnsHandles, netns: string) {
    this.#handles = handles;
    this.#handle = handles.get(netns);
  }

  /** @throws SystemError naming the request */
  execute(request: LinkRequest): void {
    const socket = this.#handle.route;
    switch (request.kind) {
      case "addVeth":
        this.#addVeth(request);
        break;
      case "setLink":
        socket.change(`set link "${request.link}"`, setLinkRequest(request.link, request));
        break;
      case "deleteLink":
        socket.change(`delete link "${request.link}"`, deleteLinkRequest(request.link));
        break;
      case "deleteGroup":
        socket.change(`delete links of group ${request.group}`, deleteGroupRequest(request.group));
        break;
      case "addAddress":
        this.#addAddress(request);
        break;
      case "addRoute":
        this.#route("add", request);
        break;
      case "deleteRoute":
        this.#route("delete", request);
        break;
      case "addNeighbour":
        socket.change(
          `add neighbour ${request.address} on "${request.link}"`,
          addNeighbourRequest(this.#index(request.link), request.address, request.mac),
        );
        break;
      case "deleteNeighbour":
        socket.change(
          `delete neighbour ${request.address} on "${request.link}"`,
          deleteNeighbourRequest(this.#index(request.link), request.address),
        );
        break;
      case "setProxyDelay":
        socket.change(
          `set the proxy delay of "${request.link}"`,
          proxyDelayRequest(this.#index(request.link), request.delayMs),
        );
        break;
      case "addIfb":
        socket.change(`add link "${request.name}"`, addIfbRequest(request.name));
        socket.change(`set the alias of "${request.name}"`, setLinkRequest(request.name, { alias: request.alias }));
        break;
      case "addQueue":
        socket.change(
          `add a queue of type ${request.queue.type} to "${request.link}"`,
          addQueueRequest(this.#index(request.link), request.queue),
        );
        break;
      case "setClass":
        socket.change(
          `set class ${request.class.minor} of "${request.link}"`,
          setClassRequest(this.#index(request.link), request.class),
        );
        break;
      case "setFilter":
        this.#setFilter(request);
        break;
      default:
        request satisfies never;
    }
  }

  #addAddress(request: Extract<LinkRequest, { kind: "addAddress" }>): void {
    const { link, address, prefixLength, noPrefixRoute } = request;
    this.#handle.route.change(
      `add address ${address}/${prefixLength} to "${link}"`,
      addAddressRequest(this.#index(link), address, prefixLength, noPrefixRoute ?? false),
    );
  }

  #addVeth(request: Extract<LinkRequest, { kind: "addVeth" }>): void {
    const { name, mac, mtu, alias, peer } = request;
    const socket = this.#handle.route;
    socket.change(
      `add link "${name}" with peer "${peer.name}" in "${peer.netns}"`,
      addVethRequest({ name, mac, mtu }, { name: peer.name, mac: peer.mac, mtu }, this.#handles.get(peer.netns).fd),
    );
    // The kernel takes no alias while it makes a link, so a crash here leaves one that only its name tells of.
    socket.change(`set the alias of "${name}"`, setLinkRequest(name, { alias }));
  }

  #setFilter({ link, program, redirectTo }: Extract<LinkRequest, { kind: "setFilter" }>): void {
    const target = redirectTo === undefined ? undefined : this.#index(redirectTo);
    this.#handle.route.change(`set the filter of "${link}"`, setFilterRequest(this.#index(link), program, target));
  }

  #route(change: "add" | "delete", route: RouteRequest): void {
    const linkIndex = route.link === undefined ? undefined : this.#index(route.link);
    this.#handle.route.change(`${change} route ${route.destination}`, routeRequest(change, route, linkIndex));
  }

  #index(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const { index } = this.link(name);
    this.#indices.set(name, index);
    return index;
  }

  /** @throws SystemError ENODEV */
  link(name: string): LinkInfo {
    return parseLink(this.#handle.route.ask(`find link "${name}"`, getLinkRequest(name)));
  }
}
