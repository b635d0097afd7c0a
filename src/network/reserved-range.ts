import { AgentError } from "../common/errors.ts";
import { formatIp, type IpAddress, readIp } from "../common/ip-address.ts";
import { type Cidr, cidrOffset, cidrSize, parseCidr } from "./cidr.ts";
import type { RangeLayout } from "./plan-vswitch-layout.ts";

/** Addresses of a vSwitch that are never given out: a block such as "10.0.1.0/28", or "10.0.1.9-10.0.1.20". */
export class ReservedRange {
  readonly text: string;
  readonly #first: IpAddress;
  readonly #last: bigint;

  private constructor(text: string, first: IpAddress, last: bigint) {
    this.text = text;
    this.#first = first;
    this.#last = last;
  }

  /**
   * @param cidrs the vSwitch's ranges, one of which must hold all of it
   * @throws AgentError InvalidArgument naming the field
   */
  static parse(field: string, text: string, cidrs: readonly Cidr[]): ReservedRange {
    const range = text.includes("-") ? readSpan(field, text) : readBlock(field, text);
    const lastAddress = { family: range.#first.family, value: range.#last };
    const home = cidrs.find(
      (cidr) => cidrOffset(cidr, range.#first) !== undefined && cidrOffset(cidr, lastAddress) !== undefined,
    );
    if (home === undefined) throw invalid(field, text, "inside the vSwitch's cidr or ipv6_cidr");
    // A pick that tries again must soon meet an address that is not reserved.
    if (home.family === 6 && range.#last - range.#first.value >= cidrSize(home) / 4n) {
      throw invalid(field, text, "less than a quarter of the vSwitch's ipv6_cidr");
    }
    return range;

    function readBlock(name: string, block: string): ReservedRange {
      const cidr = parseCidr(name, block);
      const first = { family: cidr.family, value: cidr.first };
      return new ReservedRange(block, first, cidr.first + cidrSize(cidr) - 1n);
    }

    function readSpan(name: string, span: string): ReservedRange {
      const [from = "", to = "", ...rest] = span.split("-");
      const [first, last] = [readIp(from.trim()), readIp(to.trim())];
      if (first === undefined || last?.family !== first.family || last.value < first.value || rest.length > 0) {
        throw invalid(name, span, 'a block such as "10.0.1.0/28" or a range such as "10.0.1.9-10.0.1.20"');
      }
      return new ReservedRange(`${formatIp(first)}-${formatIp(last)}`, first, last.value);
    }
  }

  covers(address: string): boolean {
    const ip = readIp(address);
    return ip?.family === this.#first.family && ip.value >= this.#first.value && ip.value <= this.#last;
  }

  /** Which of the layout's usable addresses it covers, counted from the first of them. */
  *indexes(layout: RangeLayout): Generator<number> {
    if (layout.cidr.family !== this.#first.family) return;
    const start = layout.cidr.first + layout.firstUsable;
    const end = start + layout.usable;
    for (let value = this.#first.value; value <= this.#last && value < end; value++) {
      if (value >= start) yield Number(value - start);
    }
  }
}

function invalid(field: string, text: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(text.slice(0, 100))}: must be ${want}`);
}
