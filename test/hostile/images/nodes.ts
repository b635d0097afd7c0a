import type { HostileImage } from "../image-trial.ts";
import { device, dir, file, fixture, link } from "./build.ts";
import { holds, refused, tree, x } from "./verdicts.ts";

/** Devices, pipes, special bits, owners and times. */
export const nodeFixtures: readonly HostileImage[] = [
  fixture(
    "OverlayWhiteoutDevice",
    [[{ name: "a", type: "character", device: { major: 0, minor: 0 } }]],
    refused(/character device "a" has number 0:0/),
  ),
  fixture(
    "DeviceOutOfRange",
    [[{ name: "a", type: "character", device: { major: 4096, minor: 0 } }]],
    refused(/device "a" has number 4096:0: 4095:1048575 is the highest/),
  ),
  fixture(
    "DeviceNodes",
    [
      [
        device("mem", 1, 1, { mode: 0o666 }),
        device("null", 1, 3),
        { name: "sda", type: "block", device: { major: 8, minor: 0 }, mode: 0o666 },
        device("big", 4095, 1_048_575),
      ],
    ],
    tree({ mem: "char 666 1:1", null: "char 644 1:3", sda: "block 666 8:0", big: "char 644 4095:1048575" }),
  ),
  fixture(
    "DeviceThenWrittenTo",
    [[{ name: "sda", type: "block", device: { major: 8, minor: 0 } }, file("sda", "boot sector")]],
    tree({ sda: holds("boot sector") }),
  ),
  fixture(
    "DeviceThenLinkedAndWrittenTo",
    [[device("full", 1, 7), link("l", "full"), file("l", "x"), file("full/x")]],
    refused(/lies below "full", which is a char/),
  ),
  fixture("DeviceMinorTooLarge", [[device("a", 1, 1_048_576)]], refused(/device "a" has number 1:1048576/)),
  fixture(
    "DeviceWhiteoutAsBlock",
    [[file("a")], [{ name: "a", type: "block", device: { major: 0, minor: 0 } }]],
    tree({ a: "block 644 0:0" }),
  ),
  fixture(
    "DeviceWhiteoutByHardlink",
    [
      [file("a"), file("b")],
      [device("b", 0, 1), link("a", "b")],
    ],
    tree({ a: "char 644 0:1", b: "char 644 0:1 = a" }),
  ),
  fixture("FifoThenWrittenTo", [[{ name: "p", type: "fifo" }, file("p", "x")]], tree({ p: x })),
  fixture(
    "FifoLinkedAndWrittenTo",
    [[{ name: "p", type: "fifo" }, link("q", "p"), file("q", "x"), { name: "p", type: "fifo", mode: 0o777 }]],
    tree({ p: "fifo 777", q: x }),
  ),
  fixture(
    "FifoOfLowerLayerLinked",
    [[{ name: "p", type: "fifo", mode: 0o622 }], [link("q", "p")]],
    tree({ p: "fifo 622", q: "fifo 622 = p" }),
  ),
  fixture(
    "DeviceOfLowerLayerLinked",
    [[device("n", 1, 3, { mode: 0o666 })], [link("m", "n")]],
    tree({ m: "char 666 1:3", n: "char 666 1:3 = m" }),
  ),
  fixture(
    "SpecialBits",
    [
      [
        file("u", "x", { mode: 0o4755, uid: 33 }),
        file("g", "x", { mode: 0o2755, gid: 33 }),
        dir("t", { mode: 0o1777 }),
        dir("s", { mode: 0o2775, gid: 33 }),
        file("s/f"),
        file("all", "x", { mode: 0o7777 }),
      ],
    ],
    tree({
      u: 'file 4755 33:0 "x"',
      g: 'file 2755 0:33 "x"',
      t: "directory 1777",
      s: "directory 2775 0:33",
      "s/f": x,
      all: 'file 7777 "x"',
    }),
  ),
  fixture(
    "SpecialBitsOverwritten",
    [[file("u", "x", { mode: 0o4755 })], [link("v", "u"), file("u", "y", { mode: 0o644 })]],
    tree({ u: holds("y"), v: 'file 4755 "x"' }),
  ),
  fixture(
    "SetuidOnFifoAndDevice",
    [[{ name: "p", type: "fifo", mode: 0o6666 }, device("n", 1, 3, { mode: 0o6666 })]],
    tree({ p: "fifo 6666", n: "char 6666 1:3" }),
  ),
  fixture(
    "TimesOutOfRange",
    [
      [
        file("a", "x", { pax: { mtime: "99999999999999" } }),
        file("b", "x", { pax: { mtime: "-99999999999999.5" } }),
        file("c", "x", { pax: { mtime: "-0.000000001" } }),
        file("d", "x", { pax: { mtime: "5.9999999999" } }),
      ],
    ],
    tree({
      a: `${x} @15032385535.000000000`,
      b: `${x} @-2147483648.000000000`,
      c: `${x} @-1.999999999`,
      d: `${x} @5.999999999`,
    }),
  ),
  fixture(
    "OwnersOutOfRange",
    [[file("a", "x", { pax: { uid: "4294967294", gid: "4294967294" } })]],
    tree({ a: 'file 644 4294967294:4294967294 "x"' }),
  ),
  fixture(
    "OwnerThatMeansNobodyAndNobodyElse",
    [[file("a", "x", { pax: { uid: "4294967295" } })]],
    refused(/"a" has uid 4294967295: 4294967294 is the highest/),
  ),
  fixture(
    "OwnerBeyondTheKernel",
    [[file("a", "x", { pax: { gid: "4294967296" } })]],
    refused(/"a" has gid 4294967296: 4294967294 is the highest/),
  ),
];
