import { formatIp, readIp } from "../common/ip-address.ts";
import { AddressBitmap } from "./address-bitmap.ts";
import { cidrAddress, cidrOffset } from "./cidr.ts";
import { planRangeLayout, type RangeLayout } from "./plan-vswitch-layout.ts";
import type { Vswitch } from "./vpc-config.ts";

/** Sources of chance, so that tests can decide it. */
export interface IpamRandom {
  /** A uniform integer in 0 … `bound` − 1. */
  below(bound: number): number;
  /** 64 uniform bits. */
  interfaceId(): bigint;
}

/** An address that is free again at a time: because it cools, or because it is held for a pod until then. */
export interface Resting {
  readonly address: string;
  readonly freeAtMs: number;
}

/** Addresses of a vSwitch, IPv4 ones. `total` is the sum of the others. */
export interface PoolUsage {
  readonly total: number;
  readonly used: number;
  readonly cooling: number;
  /** Kept for pods that are to get them again. */
  readonly held: number;
  /** Never given out, by configuration. */
  readonly reserved: number;
  readonly free: number;
}

/** The cache of one vSwitch's addresses; the table `addresses` is the truth. */
export class AddressPool {
  readonly vswitch: Vswitch;
  readonly ipv4: RangeLayout;
  readonly ipv6: RangeLayout | undefined;
  /** Oldest first. */
  readonly cooling: Resting[] = [];
  readonly held = new Map<string, number>();
  /** Taken for whatever reason. Bit 0 is the first usable address. */
  readonly #bitmap: AddressBitmap;
  readonly #takenIpv6 = new Set<string>();
  /** Taken by the configuration alone. */
  readonly #reserved = new Set<number>();

  constructor(vswitch: Vswitch) {
    this.vswitch = vswitch;
    this.ipv4 = planRangeLayout(vswitch.cidr);
    this.ipv6 = vswitch.ipv6Cidr === undefined ? undefined : planRangeLayout(vswitch.ipv6Cidr);
    this.#bitmap = new AddressBitmap(Number(this.ipv4.usable));
  }

  /** Whether an IPv4 address is left for anybody. */
  get exhausted(): boolean {
    return this.#bitmap.free === 0;
  }

  /** Where the address stands among those a pod may get; undefined for any other. */
  indexOf(address: string): number | undefined {
    const ip = readIp(address);
    const offset = ip === undefined ? undefined : cidrOffset(this.ipv4.cidr, ip);
    const index = offset === undefined ? -1 : Number(offset - this.ipv4.firstUsable);
    return index >= 0 && index < this.#bitmap.size ? index : undefined;
  }

  /** @returns false when it is taken already */
  take(address: string): boolean {
    if (address.includes(":")) {
      const fresh = !this.#takenIpv6.has(address);
      this.#takenIpv6.add(address);
      return fresh;
    }
    const index = this.indexOf(address);
    return index !== undefined && (this.#reserved.delete(index) || this.#bitmap.take(index));
  }

  /** Gives an address back; one that is reserved by now stays taken. */
  free(address: string): void {
    const index = this.indexOf(address);
    if (index !== undefined && this.vswitch.reserved.some((range) => range.covers(address))) this.#reserved.add(index);
    else if (index !== undefined) this.#bitmap.release(index);
    this.#takenIpv6.delete(address);
  }

  /** Takes what the configuration reserves and nobody has; what pods have is reserved once they give it back. */
  reserve(): void {
    for (const range of this.vswitch.reserved) {
      for (const index of range.indexes(this.ipv4)) if (this.#bitmap.take(index)) this.#reserved.add(index);
    }
  }

  /** Takes a free IPv4 address, each as likely as any other. @throws RangeError when none is */
  takeRandomIpv4(random: IpamRandom): string {
    const index = this.#bitmap.selectFree(random.below(this.#bitmap.free));
    this.#bitmap.take(index);
    return formatIp(cidrAddress(this.ipv4.cidr, this.ipv4.firstUsable + BigInt(index)));
  }

  /** Takes an IPv6 address, undefined where the vSwitch has none. Two of 2^64 hardly ever meet, so trying again is enough. */
  takeRandomIpv6(random: IpamRandom): string | undefined {
    const { ipv6 } = this;
    if (ipv6 === undefined) return undefined;
    for (;;) {
      const offset = random.interfaceId();
      if (offset < ipv6.firstUsable || offset >= ipv6.firstUsable + ipv6.usable) continue;
      const address = formatIp(cidrAddress(ipv6.cidr, offset));
      if (this.vswitch.reserved.some((range) => range.covers(address))) continue;
      if (this.take(address)) return address;
    }
  }

  usage(nowMs: number): PoolUsage {
    const ipv4 = (address: string) => !address.includes(":");
    const resting = this.cooling.filter(({ address }) => ipv4(address));
    const cooling = resting.filter(({ freeAtMs }) => freeAtMs > nowMs).length;
    const holding = [...this.held].filter(([address]) => ipv4(address));
    const held = holding.filter(([, freeAtMs]) => freeAtMs > nowMs).length;
    const total = this.#bitmap.size;
    const free = this.#bitmap.free + resting.length - cooling + holding.length - held;
    const reserved = this.#reserved.size;
    return { total, used: total - free - cooling - held - reserved, cooling, held, reserved, free };
  }
}
