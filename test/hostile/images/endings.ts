import { endOfArchive, paxLine, rawEntry, rawLong, rawPax, rawTar } from "../../support/raw-tar.ts";
import { writeTar } from "../../support/tar-writer.ts";
import { type HostileImage, trialLimits } from "../image-trial.ts";
import { file, fixture } from "./build.ts";
import { damaged, holds, longText, oversized, refused, tree, x } from "./verdicts.ts";

const whole = rawTar(rawEntry({ name: "a" }, "a".repeat(600)), rawEntry({ name: "b" }, "b"));

/** Archives that end too early, too late, or not at all. */
export const endingFixtures: readonly HostileImage[] = [
  fixture("ArchiveOfNoBytes", [Buffer.alloc(0)], tree({})),
  fixture("ArchiveOfOneByte", [Buffer.alloc(1)], damaged(/ends in the middle of an entry/)),
  fixture("ArchiveOfZeros", [Buffer.alloc(100_000)], tree({})),
  fixture("ArchiveOfText", [Buffer.from("#!/bin/sh\nrm -rf /\n".repeat(100))], refused(/checksum/)),
  fixture("ArchiveOfNoise", [Buffer.alloc(10_240, 0xa5)], refused(/checksum/)),
  fixture("CutInAHeader", [whole.subarray(0, 300)], damaged(/ends in the middle of an entry/)),
  fixture("CutAfterAHeader", [whole.subarray(0, 512)], damaged(/ends in the middle of an entry/)),
  fixture("CutInContent", [whole.subarray(0, 512 + 100)], damaged(/ends in the middle of an entry/)),
  fixture("CutInPadding", [whole.subarray(0, 512 + 700)], damaged(/ends in the middle of an entry/)),
  fixture("CutBetweenEntries", [whole.subarray(0, 512 + 1024)], tree({ a: `file 644 ${longText("a".repeat(600))}` })),
  fixture(
    "CutInTheEnd",
    [whole.subarray(0, whole.length - 512)],
    tree({ a: `file 644 ${longText("a".repeat(600))}`, b: holds("b") }),
  ),
  fixture(
    "CutInAPaxHeader",
    [rawPax(paxLine("comment", "c".repeat(1000))).subarray(0, 900)],
    damaged(/ends in the middle of an entry/),
  ),
  fixture("CutAfterAPaxHeader", [rawPax(paxLine("path", "x"))], damaged(/ends in the middle of an entry/)),
  fixture("CutAfterALongName", [rawLong("L", "x")], damaged(/ends in the middle of an entry/)),
  fixture(
    "EndOfOneBlock",
    [Buffer.concat([rawEntry({ name: "a" }, "abc"), Buffer.alloc(512)])],
    tree({ a: holds("abc") }),
  ),
  fixture(
    "EntryBehindOneBlock",
    [
      Buffer.concat([
        rawEntry({ name: "a" }, "abc"),
        Buffer.alloc(512),
        rawEntry({ name: "hidden" }, "x"),
        endOfArchive,
      ]),
    ],
    refused(/goes on after a lone block of zeros/),
  ),
  fixture(
    "EntryBehindTheEnd",
    [Buffer.concat([rawTar(rawEntry({ name: "a" }, "abc")), rawTar(rawEntry({ name: "hidden" }, "x"))])],
    tree({ a: holds("abc") }),
  ),
  fixture(
    "JunkBehindTheEnd",
    [Buffer.concat([rawTar(rawEntry({ name: "a" }, "abc")), Buffer.alloc(777, 0xff)])],
    tree({ a: holds("abc") }),
  ),
  fixture(
    "ZerosBehindTheEnd",
    [Buffer.concat([rawTar(rawEntry({ name: "a" }, "abc")), Buffer.alloc(3_000_000)])],
    tree({ a: holds("abc") }),
  ),
  fixture(
    "EntriesWithoutNumber",
    [Buffer.concat([...Array(trialLimits.entries + 1)].map((_, n) => rawEntry({ name: `e${n}` })))],
    oversized(/more than 5000 entries/),
  ),
  fixture("EntriesAtTheLimit", [[...Array(trialLimits.entries)].map(() => file("same"))], tree({ same: x })),
  fixture(
    "DirectoriesWithoutNumber",
    [[...Array(60)].map((_, n) => file(`${n}/${"d/".repeat(100)}f`))],
    oversized(/makes more than 5000 files/),
  ),
  fixture(
    "WhiteoutsWithoutNumber",
    [[file("a")], [...Array(trialLimits.entries + 1)].map((_, n) => file(`.wh.${n}`, ""))],
    oversized(/more than 5000 entries/),
  ),
  fixture(
    "ContentWithoutEnd",
    [writeTar([file("big", "\0".repeat(trialLimits.tarBytes))])],
    oversized(/inflates to more than 33554432 bytes/),
  ),
];
