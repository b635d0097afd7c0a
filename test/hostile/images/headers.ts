import { base256, paxLine, rawEntry, rawHeader, rawPax } from "../../support/raw-tar.ts";
import type { HostileImage } from "../image-trial.ts";
import { fixture, octal, one, smuggled } from "./build.ts";
import { damaged, directory, end, holds, longText, refused, tree } from "./verdicts.ts";

/** Headers whose numbers, types and checksums lie. */
export const headerFixtures: readonly HostileImage[] = [
  fixture("SizeNegative", one(rawHeader({ size: base256(-1n, 12) })), refused(/size is negative/)),
  fixture("SizeNegativeInOctal", one(rawHeader({ size: "-0000000001" })), refused(/size is no octal number/)),
  fixture("SizeBeyondSafeNumbers", one(rawHeader({ size: base256(2n ** 60n, 12) })), refused(/size is beyond/)),
  fixture("SizeOfAllBits", one(rawHeader({ size: Buffer.alloc(12, 0xff) })), refused(/size is negative/)),
  fixture("SizeOfEightGibibytes", one(rawHeader({ size: "77777777777" })), damaged(/ends in the middle of an entry/)),
  fixture(
    "SizeInBase256",
    one(rawEntry({ name: "a", size: base256(3n, 12) }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "SizeInDecimal",
    one(rawEntry({ name: "a", size: "00000000009" }, "123456789")),
    refused(/size is no octal number/),
  ),
  fixture("SizeInHex", one(rawHeader({ size: "0x0000000ff" })), refused(/size is no octal number/)),
  fixture(
    "SizeWithSpaces",
    one(rawEntry({ name: "a", size: "  3         " }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "SizeWithJunkBehindNul",
    one(rawEntry({ name: "a", size: "3\0garbage000" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture("SizeEmpty", one(rawHeader({ name: "a", size: Buffer.alloc(12) })), tree({ a: holds(""), last: end })),
  fixture(
    "SizeOfDirectory",
    one(rawHeader({ name: "d", type: "5", size: octal(5) })),
    tree({ d: "directory 644", last: end }),
  ),
  fixture(
    "SizeOfDirectoryWithContent",
    one(rawEntry({ name: "d", type: "5" }, smuggled)),
    tree({ d: "directory 644", smuggled: holds("owned") }),
  ),
  fixture(
    "SizeOfSymlinkWithContent",
    one(rawEntry({ name: "l", type: "2", link: "x" }, smuggled)),
    tree({ l: "symlink -> x", smuggled: holds("owned") }),
  ),
  fixture(
    "SizeOfHardlink",
    one(rawEntry({ name: "a" }, "abc"), rawHeader({ name: "h", type: "1", link: "a", size: octal(3) })),
    tree({ a: holds("abc"), h: holds("abc", "= a"), last: end }),
  ),
  fixture(
    "SizeOfDevice",
    one(rawHeader({ name: "n", type: "3", major: "0000001", minor: "0000003", size: octal(512) })),
    tree({ n: "char 644 1:3", last: end }),
  ),
  fixture(
    "ArchiveInsideAFile",
    one(rawEntry({ name: "inner.tar" }, smuggled)),
    tree({ "inner.tar": `file 644 ${longText(smuggled)}`, last: end }),
  ),
  fixture(
    "ArchiveInsideAFileUncoveredByPax",
    one(rawPax(paxLine("size", "0")), rawEntry({ name: "outer" }, smuggled)),
    tree({ outer: holds(""), smuggled: holds("owned") }),
  ),
  fixture(
    "ArchiveInsideAFileCoveredByPax",
    one(rawPax(paxLine("size", String(smuggled.length))), rawEntry({ name: "outer", size: octal(0) }, smuggled)),
    tree({ outer: `file 644 ${longText(smuggled)}`, last: end }),
  ),
  fixture("ModeOfAllBits", one(rawHeader({ name: "a", mode: "7777777" })), tree({ a: 'file 7777 ""', last: end })),
  fixture("ModeOfFileType", one(rawHeader({ name: "a", mode: "0120777" })), tree({ a: 'file 777 ""', last: end })),
  fixture("ModeNegative", one(rawHeader({ mode: base256(-1n, 8) })), refused(/mode is negative/)),
  fixture("ModeOfLetters", one(rawHeader({ mode: "rwxr-xr" })), refused(/mode is no octal number/)),
  fixture("OwnerNegative", one(rawHeader({ uid: base256(-2n, 8) })), refused(/uid is negative/)),
  fixture(
    "OwnerInBase256",
    one(rawHeader({ name: "a", uid: base256(4_000_000_000n, 8), gid: base256(3_000_000_000n, 8) })),
    tree({ a: 'file 644 4000000000:3000000000 ""', last: end }),
  ),
  fixture(
    "OwnerBeyondTheKernelInBase256",
    one(rawHeader({ name: "a", uid: base256(2n ** 32n - 1n, 8) })),
    refused(/"a" has uid 4294967295/),
  ),
  fixture(
    "TimeBeforeTheEpoch",
    one(rawHeader({ name: "a", mtime: base256(-86_400n, 12) })),
    tree({ a: holds("", "@-86400.000000000"), last: end }),
  ),
  fixture(
    "TimeOfTheEndOfTheWorld",
    one(rawHeader({ name: "a", mtime: base256(2n ** 50n, 12) })),
    tree({ a: holds("", "@15032385535.000000000"), last: end }),
  ),
  fixture(
    "DeviceNumberNegative",
    one(rawHeader({ type: "3", major: base256(-1n, 8) })),
    refused(/device major is negative/),
  ),
  fixture(
    "DeviceNumberHuge",
    one(rawHeader({ type: "4", major: base256(2n ** 40n, 8) })),
    refused(/device "file" has number 1099511627776:0/),
  ),
  fixture("ChecksumWrong", one(rawHeader({ checksum: "000001\0 " })), refused(/checksum is 1: must be \d+/)),
  fixture("ChecksumMissing", one(rawHeader({ checksum: Buffer.alloc(8) })), refused(/checksum is 0: must be \d+/)),
  fixture(
    "ChecksumOfSignedBytes",
    one(signed(rawHeader({ name: Buffer.from("\xe9t\xe9", "latin1") }))),
    tree({ "\xe9t\xe9": holds(""), last: end }),
  ),
  fixture("TypeUnknown", one(rawHeader({ type: "Z" })), refused(/has type "Z"/)),
  fixture("TypeSparseOfGnu", one(rawEntry({ name: "s", type: "S", magic: "ustar  \0" }, "x")), refused(/has type "S"/)),
  fixture("TypeMultiVolume", one(rawHeader({ name: "m", type: "M", magic: "ustar  \0" })), refused(/has type "M"/)),
  fixture("TypeVolumeLabel", one(rawHeader({ name: "v", type: "V", magic: "ustar  \0" })), refused(/has type "V"/)),
  fixture(
    "TypeDumpDirectory",
    one(rawEntry({ name: "d", type: "D", magic: "ustar  \0" }, "Yfile\0\0")),
    refused(/has type "D"/),
  ),
  fixture("TypeSolarisAcl", one(rawEntry({ name: "a", type: "A" }, "user::rwx")), refused(/has type "A"/)),
  fixture("TypeContiguous", one(rawEntry({ name: "c", type: "7" }, "abc")), tree({ c: holds("abc"), last: end })),
  fixture(
    "TypeOfOldDirectory",
    one(rawHeader({ name: "d/", type: "\0", magic: Buffer.alloc(8) })),
    tree({ d: "directory 644", last: end }),
  ),
  fixture("TypeFileWithSlash", one(rawEntry({ name: "f/", type: "0" }, "abc")), tree({ f: holds("abc"), last: end })),
  fixture(
    "TypeSymlinkWithoutTarget",
    one(rawHeader({ name: "l", type: "2", link: "" })),
    refused(/symbolic link "l" has a target of 0 bytes/),
  ),
  fixture(
    "TypeHardlinkWithoutTarget",
    one(rawHeader({ name: "h", type: "1", link: "" })),
    refused(/empty hard link's target/),
  ),
  fixture(
    "MagicUnknown",
    one(rawEntry({ name: "a", magic: "TAR!\0\0\0\0", prefix: "../../../etc" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "MagicOfGnuWithPrefix",
    one(rawEntry({ name: "a", magic: "ustar  \0", prefix: "../../../etc" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture("PrefixThatClimbs", one(rawEntry({ name: "x", prefix: "../../../../etc" }, "abc")), refused(/holds "\.\."/)),
  fixture("PrefixThatIsARoot", one(rawEntry({ name: "x", prefix: "/" }, "abc")), tree({ x: holds("abc"), last: end })),
  fixture("NameWithNul", one(rawEntry({ name: "a\0/../../b" }, "abc")), tree({ a: holds("abc"), last: end })),
  fixture("NameOfNuls", one(rawHeader({ name: Buffer.alloc(100) })), refused(/empty name/)),
  fixture(
    "NameWithoutEnd",
    one(rawEntry({ name: "n".repeat(100), prefix: "p".repeat(155) }, "abc")),
    tree({ ["p".repeat(155)]: directory, [`${"p".repeat(155)}/${"n".repeat(100)}`]: holds("abc"), last: end }),
  ),
];

/** The header with its checksum over signed characters, as some old writers have it. */
function signed(header: Buffer): Buffer {
  const copy = Buffer.from(header);
  copy.fill(" ", 148, 156);
  const sum = copy.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}
