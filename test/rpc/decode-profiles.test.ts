import { describe, expect, test } from "vitest";
import type { SecurityProfile__Output } from "../../src/generated/runtime/v1/SecurityProfile.ts";
import { decodeApparmor, decodeSeccomp, decodeSelinux } from "../../src/rpc/decode-profiles.ts";

const message = (profile_type: string, localhost_ref = "") =>
  ({ profile_type, localhost_ref }) as SecurityProfile__Output;
const seccomp = (profile: SecurityProfile__Output | null, text = "") => decodeSeccomp("new", profile, "old", text);
const apparmor = (profile: SecurityProfile__Output | null, text = "") => decodeApparmor("new", profile, "old", text);

describe("decodeSeccomp() and decodeApparmor()", () => {
  test.each([
    [null, "", { kind: "unset" }],
    [null, "unconfined", { kind: "unconfined" }],
    [null, "runtime/default", { kind: "runtime-default" }],
    [null, "localhost//p", { kind: "localhost", reference: "/p" }],
    [message("RuntimeDefault"), "", { kind: "runtime-default" }],
    [message("Unconfined"), "", { kind: "unconfined" }],
    [message("Localhost", "/p"), "", { kind: "localhost", reference: "/p" }],
    [message("Localhost", "localhost//p"), "", { kind: "localhost", reference: "/p" }],
  ] as const)("take %j and %j as %j", (profile, text, want) => {
    expect(seccomp(profile, text)).toEqual(want);
    expect(apparmor(profile, text)).toEqual(want);
  });

  test("read the message where both are there", () => {
    expect(seccomp(message("Unconfined"), "runtime/default")).toEqual({ kind: "unconfined" });
  });

  test("know Docker's word for seccomp only", () => {
    expect(seccomp(null, "docker/default")).toEqual({ kind: "runtime-default" });
    expect(() => apparmor(null, "docker/default")).toThrow('Invalid old "docker/default": must be "unconfined"');
  });

  test.each<[SecurityProfile__Output | null, string, string]>([
    [null, "nonsense", "Invalid old"],
    [null, "/var/p.json", "Invalid old"],
    [null, "Unconfined", "Invalid old"],
    [null, "localhost/relative.json", "absolute"],
    [null, "localhost/", "absolute"],
    [message("Localhost"), "", "Missing new.localhost_ref"],
    [message("Localhost", "relative.json"), "", "absolute"],
    [message("Localhost", "/a/../b"), "", '".."'],
    [message("RuntimeDefault", "/p"), "", "must be empty"],
    [message("Unconfined", "/p"), "", "must be empty"],
    [message("9"), "", "Invalid new.profile_type"],
  ])("of seccomp refuse %j and %j", (profile, text, why) => {
    expect(() => seccomp(profile, text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => seccomp(profile, text)).toThrow(why);
  });

  test.each(["a\nb", "x".repeat(5000), "a\0"])("of AppArmor refuse the name %j", (name) => {
    expect(() => apparmor(message("Localhost", name))).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test("of AppArmor take a name that is no path", () => {
    expect(apparmor(message("Localhost", "k8s-nginx"))).toEqual({ kind: "localhost", reference: "k8s-nginx" });
  });
});

describe("decodeSelinux()", () => {
  const none = { user: "", role: "", type: "", level: "" };

  test.each([null, none])("takes %j as nothing asked", (options) => {
    expect(decodeSelinux("f", options)).toBeUndefined();
  });

  test.each(["s0", "s0:c1", "s0:c1,c2", "s0-s15:c0.c1023", "s0:c1.c5,c9"])("takes level %j", (level) => {
    expect(decodeSelinux("f", { ...none, level })).toEqual({ ...none, level });
  });

  test.each(["c1", "s0:c1,", "s0 ", 's0",x="', "s0:c12345"])("refuses level %j", (level) => {
    expect(() => decodeSelinux("f", { ...none, level })).toThrow("Invalid f.level");
  });

  test("refuses what would break out of a mount option", () => {
    expect(() => decodeSelinux("f", { ...none, type: 't",user_xattr' })).toThrow("Invalid f.type");
  });
});
