import { expect, test } from "vitest";
import { readPodBandwidth } from "../../src/network/pod-bandwidth.ts";

const read = (value: string) => readPodBandwidth({ "kubernetes.io/ingress-bandwidth": value }).ingressBitsPerSecond;

test.each([
  ["", undefined],
  ["1000", 1000],
  ["1k", 1000],
  ["40M", 40_000_000],
  ["1.5G", 1_500_000_000],
  ["10Mi", 10_485_760],
  ["1Ki", 1024],
  ["1P", 1e15],
])("a bandwidth of %j is %j bits per second", (value, rate) => expect(read(value)).toBe(rate));

test.each(["0", "999", "-1M", "1K", "1m", "2P", "1e6", "1 M", "M", "1Mb"])("refuses a bandwidth of %j", (value) => {
  expect(() => read(value)).toThrow(
    /kubernetes.io\/ingress-bandwidth .*: must be bits per second such as "40M", 1k to 1P/,
  );
});
