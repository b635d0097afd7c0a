import type { TarEntry } from "../../support/tar-writer.ts";
import type { HostileImage } from "../image-trial.ts";
import { device, dir, file, fixture, symlink } from "./build.ts";
import { bytesOf, directory, holds, refused, tree, x } from "./verdicts.ts";

const capability = (hex: string) => ({ "security.capability": Buffer.from(hex, "hex") });
const withXattrs = (xattrs: TarEntry["xattrs"]) => [[{ name: "a", body: "x", ...(xattrs && { xattrs }) }]];
/** Revision 2, the program effective, CAP_NET_BIND... in both sets: the kernel shows revision 3 for root the same way. */
const capabilityShown = `security.capability=01000002${"00200000".repeat(2)}${"00".repeat(8)}`;
const acl = (mask: string) =>
  `0200000001000600ffffffff02000700e803000004000400ffffffff1000${mask}00ffffffff20000400ffffffff`;
/** A change of mode changes an access control list's mask, acl(5): the header's mode has the last word. */
const maskedAcl = acl("04");

/** Extended attributes that belong to the host, steer overlayfs, or are more than a file can have. */
export const attributeFixtures: readonly HostileImage[] = [
  fixture(
    "CapabilityOfAnotherUser",
    withXattrs(capability(`01000003${"00".repeat(16)}e8030000`)),
    refused(/"a" has file capabilities of revision 3 for user 1000/),
  ),
  fixture(
    "CapabilityOfRevision1",
    withXattrs(capability(`0100000100000000${"00".repeat(4)}`)),
    refused(/"a" has file capabilities of revision 1/),
  ),
  fixture(
    "CapabilityOfRevision2",
    withXattrs(capability(`01000002${"00200000".repeat(2)}${"00".repeat(8)}`)),
    tree({ a: `${x} ${capabilityShown}` }),
  ),
  fixture(
    "CapabilityOfRootUser",
    withXattrs(capability(`01000003${"00200000".repeat(2)}${"00".repeat(12)}`)),
    tree({ a: `${x} ${capabilityShown}` }),
  ),
  fixture("CapabilityCutShort", withXattrs(capability("0100")), refused(/"a" has file capabilities/)),
  fixture(
    "CapabilityOfDirectory",
    [[dir("d", { xattrs: capability(`01000002${"00".repeat(16)}`) })]],
    tree({ d: directory }),
  ),
  fixture(
    "CapabilityOfSymlink",
    [[{ ...symlink("l", "a"), xattrs: capability(`01000002${"00".repeat(16)}`) }]],
    tree({ l: "symlink -> a" }),
  ),
  fixture(
    "XattrsThatSteerOverlayfs",
    [
      [file("z", "lower")],
      [
        dir("d", {
          xattrs: { "trusted.overlay.opaque": "y", "trusted.overlay.redirect": "/etc", "trusted.overlay.origin": "x" },
        }),
        file("f", "", {
          xattrs: { "trusted.overlay.metacopy": "", "trusted.overlay.redirect": "/z", "user.overlay.metacopy": "" },
        }),
        file("w", "", { xattrs: { "trusted.overlay.whiteout": "y", "user.overlay.whiteout": "y" } }),
        dir("e", {
          xattrs: { "user.overlay.opaque": "x", "trusted.overlay.overlay.opaque": "y", "user.overlay.": "y" },
        }),
      ],
    ],
    tree({ z: holds("lower"), d: directory, f: holds(""), w: holds(""), e: directory }),
  ),
  fixture(
    "XattrsOfTheHost",
    withXattrs({
      "security.selinux": "system_u:object_r:shadow_t:s0",
      "security.ima": "x",
      "security.evm": "x",
      "security.apparmor": "x",
      "security.SMACK64EXEC": "x",
      "trusted.secret": "x",
      "trusted.SGI_ACL_FILE": "x",
    }),
    tree({ a: x }),
  ),
  fixture(
    "XattrsWithoutNamespace",
    withXattrs({ "": "x", a: "x", "user.": "x", user: "x", "system.nfs4_acl": "x", "os2.x": "x" }),
    tree({ a: x }),
  ),
  fixture(
    "XattrsOfTheUser",
    withXattrs({ "user.a": "1", "user.\u00e9": "2", "user.a.b": "" }),
    tree({ a: `${x} user.a=31 user.a.b= user.${bytesOf("\u00e9")}=32` }),
  ),
  fixture(
    "XattrsOnPipesAndLinks",
    [
      [
        { name: "p", type: "fifo", xattrs: { "user.a": "1" } },
        { ...symlink("l", "p"), xattrs: { "user.a": "1" } },
        device("c", 1, 3, { xattrs: { "user.a": "1" } }),
      ],
    ],
    tree({ p: "fifo 644", l: "symlink -> p", c: "char 644 1:3" }),
  ),
  fixture(
    "XattrNameTooLong",
    withXattrs({ [`user.${"n".repeat(251)}`]: "x" }),
    refused(/"a" has an extended attribute with a name of 256 bytes/),
  ),
  fixture(
    "XattrValueTooLong",
    withXattrs({ "user.a": "v".repeat(65_537) }),
    refused(/"a" has extended attributes of \d+ bytes/),
  ),
  fixture("XattrNameWithNul", withXattrs({ "user.a\0b": "x" }), refused(/"a" has an extended attribute with a NUL/)),
  fixture(
    "XattrsTooMany",
    withXattrs(Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`user.${n}`, "x"]))),
    refused(/more than 256 extended attributes/),
  ),
  fixture(
    "XattrsBeyondTheFileSystem",
    withXattrs(Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`user.${n}`, "v".repeat(60_000)]))),
    refused(/"a" has extended attributes of \d+ bytes/),
  ),
  fixture(
    "AclOfNonsense",
    withXattrs({ "system.posix_acl_access": "nonsense" }),
    refused(/"a" has an access control list/),
  ),
  fixture(
    "AclOfAFile",
    withXattrs({
      "system.posix_acl_access": Buffer.from(
        "0200000001000600ffffffff02000700e803000004000400ffffffff10000700ffffffff20000400ffffffff",
        "hex",
      ),
      "system.posix_acl_default": "x",
    }),
    tree({ a: `${x} system.posix_acl_access=${maskedAcl}` }),
  ),
];
