import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { defaultApparmorProfile, parseProfiles, renderDefaultProfile } from "../../src/runtime/apparmor.ts";
import { capabilityNames, defaultCapabilities } from "../../src/runtime/capability-names.ts";
import { defaultSeccomp, isAtLeast } from "../../src/runtime/default-seccomp.ts";
import { planSpec } from "../../src/runtime/plan-spec.ts";
import { readSeccompFile } from "../../src/runtime/seccomp-file.ts";
import { parseContexts } from "../../src/runtime/selinux-host.ts";
import { pickLevel, planSelinuxLabels } from "../../src/runtime/selinux-label.ts";
import { type InputChanges, specInput } from "./spec-fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "podling-seccomp-"));
afterAll(() => rmSync(directory, { recursive: true }));

const contexts = { process: "system_u:system_r:container_t:s0", file: "system_u:object_r:container_file_t:s0" };

describe("defaultSeccomp()", () => {
  const allowed = (capabilities: readonly string[], architecture: NodeJS.Architecture = "x64", release = "6.1.0") => {
    const { syscalls } = defaultSeccomp(new Set(capabilities), architecture, release);
    const whole = syscalls.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined);
    return new Set(whole.flatMap(({ names }) => names));
  };

  test.each([
    ["CAP_SYS_ADMIN", ["mount", "setns", "unshare", "sethostname", "clone", "clone3", "bpf"]],
    ["CAP_SYS_BOOT", ["reboot"]],
    ["CAP_SYS_CHROOT", ["chroot"]],
    ["CAP_SYS_MODULE", ["init_module", "finit_module", "delete_module"]],
    ["CAP_SYS_TIME", ["clock_settime", "settimeofday"]],
    ["CAP_SYS_NICE", ["mbind", "set_mempolicy"]],
    ["CAP_DAC_READ_SEARCH", ["open_by_handle_at"]],
    ["CAP_SYSLOG", ["syslog"]],
    ["CAP_BPF", ["bpf"]],
    ["CAP_PERFMON", ["perf_event_open"]],
    ["CAP_SYS_PTRACE", ["kcmp", "pidfd_getfd"]],
  ])("lets %s through to its calls, and nobody else", (capability, names) => {
    expect(names.filter((name) => !allowed([capability]).has(name))).toEqual([]);
    expect(names.filter((name) => allowed([]).has(name))).toEqual([]);
  });

  test("never lets what reaches the host through", () => {
    const all = allowed(capabilityNames);
    const never = ["kexec_load", "kexec_file_load", "add_key", "keyctl", "request_key", "userfaultfd", "swapon"];
    expect([...never, "nfsservctl", "pivot_root", "io_uring_setup"].filter((name) => all.has(name))).toEqual([]);
  });

  test("answers clone3 with ENOSYS, so that the C library takes clone, of which namespaces are cut off", () => {
    const { syscalls } = defaultSeccomp(new Set(), "x64", "6.1.0");
    expect(syscalls.find(({ names }) => names.includes("clone3"))).toMatchObject({ errnoRet: 38 });
    expect(syscalls.find(({ names }) => names.includes("clone"))?.args).toEqual([
      { index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" },
    ]);
  });

  test("fits the processor", () => {
    expect(defaultSeccomp(new Set(), "arm64", "6.1.0").architectures).toEqual(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
    expect(allowed([], "x64").has("arch_prctl")).toBe(true);
    expect(allowed([], "arm64").has("arch_prctl")).toBe(false);
    expect(allowed([], "arm64").has("cacheflush")).toBe(true);
  });

  test("keeps debuggers out where ptrace goes around filters", () => {
    expect(allowed([], "x64", "4.7.10").has("ptrace")).toBe(false);
    expect(allowed([], "x64", "4.8.0").has("ptrace")).toBe(true);
    expect(isAtLeast("10.0.1", 4, 8)).toBe(true);
  });

  test("only grows with the capabilities", () => {
    const subset = fc.subarray([...capabilityNames]);
    fc.assert(
      fc.property(subset, subset, (few, more) => {
        const grown = allowed([...few, ...more]);
        expect([...allowed(few)].filter((name) => !grown.has(name))).toEqual([]);
      }),
    );
  });
});

describe("planSpec() puts seccomp", () => {
  const filterOf = (changes: InputChanges) => planSpec(specInput(changes)).linux.seccomp;

  test("nowhere when nothing or Unconfined is asked, nor into a privileged container", () => {
    expect(filterOf({})).toBeUndefined();
    expect(filterOf({ security: { seccomp: { kind: "unconfined" } } })).toBeUndefined();
    const security = { privileged: true, seccomp: { kind: "runtime-default" } } as const;
    expect(filterOf({ security, sandbox: { privileged: true } })).toBeUndefined();
  });

  test("that fits the capabilities the container ends with", () => {
    const seccomp = { kind: "runtime-default" } as const;
    expect(filterOf({ security: { seccomp } })).toEqual(defaultSeccomp(new Set(defaultCapabilities), "x64", "6.1.0"));
    const capabilities = { add: ["SYS_ADMIN"], drop: ["ALL"] };
    expect(filterOf({ security: { seccomp, capabilities } })).toEqual(
      defaultSeccomp(new Set(["CAP_SYS_ADMIN"]), "x64", "6.1.0"),
    );
  });

  test("as the file says", () => {
    const file = { defaultAction: "SCMP_ACT_ALLOW", architectures: [], syscalls: [] };
    const security = { seccomp: { kind: "localhost", reference: "/p" } } as const;
    expect(filterOf({ security, rest: { seccompFile: file } })).toBe(file);
  });

  test("nowhere on a kernel without it, and says so", () => {
    const security = { seccomp: { kind: "runtime-default" } } as const;
    expect(() => filterOf({ security, facts: { seccomp: false } })).toThrow("this kernel has no seccomp filters");
  });
});

describe("readSeccompFile()", () => {
  const file = (text: string) => {
    const path = join(directory, "profile.json");
    writeFileSync(path, text);
    return path;
  };

  test("takes a profile as Kubernetes' documentation has it", () => {
    const profile = {
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [
        { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
        { names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] },
      ],
    };
    expect(readSeccompFile(file(JSON.stringify(profile)))).toEqual(profile);
  });

  test("takes what Go writes: null for lists, and keys it does not know", () => {
    expect(readSeccompFile(file('{"defaultAction":"SCMP_ACT_LOG","architectures":null,"comment":"x"}'))).toEqual({
      defaultAction: "SCMP_ACT_LOG",
      architectures: [],
      syscalls: [],
    });
  });

  test.each([
    ["not json", "must hold JSON"],
    ["{}", '"defaultAction"'],
    ['{"defaultAction":"ALLOW"}', '"defaultAction"'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_ALLOW"}]}', '"syscalls.0.names"'],
    ['{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x86"]}', '"architectures.0"'],
  ])("refuses %s", (text, why) => {
    expect(() => readSeccompFile(file(text))).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => readSeccompFile(file(text))).toThrow(why);
  });

  test.each([
    ["/nonexistent/profile.json", "can be read"],
    ["/dev/zero", "regular file"],
    ["/proc", "regular file"],
  ])("refuses %s", (path, why) => expect(() => readSeccompFile(path)).toThrow(why));
});

describe("planSpec() names the AppArmor profile", () => {
  const profileOf = (security: InputChanges["security"], loaded?: readonly string[]) =>
    planSpec(
      specInput({
        security: security ?? {},
        sandbox: { privileged: true },
        rest: loaded === undefined ? {} : { apparmorProfiles: new Set(loaded) },
      }),
    ).process.apparmorProfile;
  const localhost = { apparmor: { kind: "localhost", reference: "mine" } } as const;

  test.each([
    ["nothing asked", {}, defaultApparmorProfile],
    ["RuntimeDefault", { apparmor: { kind: "runtime-default" } }, defaultApparmorProfile],
    ["Unconfined", { apparmor: { kind: "unconfined" } }, undefined],
    ["Localhost", localhost, "mine"],
    ["nothing asked, privileged", { privileged: true }, undefined],
    ["RuntimeDefault, privileged", { privileged: true, apparmor: { kind: "runtime-default" } }, undefined],
    ["Localhost, privileged", { privileged: true, ...localhost }, "mine"],
  ] as const)("for %s", (_, security, want) => {
    expect(profileOf(security, ["mine", defaultApparmorProfile])).toBe(want);
  });

  test("refuses what is not loaded", () => {
    expect(() => profileOf(localhost, [])).toThrow('profile "mine": it must be loaded');
    expect(() => profileOf({ apparmor: { kind: "runtime-default" } }, [])).toThrow("apparmor_parser");
    expect(profileOf({}, [])).toBeUndefined();
  });

  test("refuses to pretend on a host without AppArmor", () => {
    expect(profileOf({})).toBeUndefined();
    expect(profileOf({ apparmor: { kind: "unconfined" } })).toBeUndefined();
    expect(() => profileOf(localhost)).toThrow("this host has no AppArmor");
    expect(() => profileOf({ apparmor: { kind: "runtime-default" } })).toThrow("this host has no AppArmor");
  });

  test("reads the kernel's list, and writes a profile whose braces close", () => {
    expect(parseProfiles("/usr/bin/man (enforce)\nk8s (x) y (complain)\n")).toEqual(
      new Set(["/usr/bin/man", "k8s (x) y"]),
    );
    const text = renderDefaultProfile();
    expect(text.split("{").length).toBe(text.split("}").length);
    expect(
      text
        .split("\n")
        .slice(1, -2)
        .filter((line) => !line.endsWith(",")),
    ).toEqual([]);
  });
});

describe("SELinux labels", () => {
  test.each([
    [undefined, false, "system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"],
    [{ level: "s0:c7" }, false, "system_u:system_r:container_t:s0:c7", "system_u:object_r:container_file_t:s0:c7"],
    [{ type: "spc_t" }, false, "system_u:system_r:spc_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"],
    [{ user: "u", role: "r" }, false, "u:r:container_t:s0:c1,c2", "u:object_r:container_file_t:s0:c1,c2"],
    [{ type: "spc_t" }, true, undefined, "system_u:object_r:container_file_t:s0:c1,c2"],
  ])("of %j, privileged %s", (asked, privileged, process, mount) => {
    const options = asked && { user: "", role: "", type: "", level: "", ...asked };
    expect(planSelinuxLabels(contexts, options, "s0:c1,c2", privileged)).toEqual({ process, mount });
  });

  test("go from the pod to the containers that name none", () => {
    const options = { user: "", role: "", type: "mine_t", level: "" };
    const spec = planSpec(
      specInput({ facts: { selinux: contexts }, sandbox: { selinux: { options, level: "s0:c3,c4" } } }),
    );
    expect(spec.process.selinuxLabel).toBe("system_u:system_r:mine_t:s0:c3,c4");
    expect(spec.linux.mountLabel).toBe("system_u:object_r:container_file_t:s0:c3,c4");
  });

  test("are refused on a host that has none", () => {
    const selinux = { user: "", role: "", type: "", level: "s0" };
    expect(() => planSpec(specInput({ security: { selinux } }))).toThrow("this host has no SELinux");
  });

  test("of two pods differ, whatever their ids", () => {
    const id = fc.stringMatching(/^[0-9a-f]{64}$/);
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), (ids) => {
        const taken = new Set<string>();
        for (const one of ids) {
          const level = pickLevel(contexts, one, taken);
          const [, low, high] = /^s0:c(\d+),c(\d+)$/.exec(level) ?? [];
          expect(Number(low)).toBeLessThan(Number(high));
          expect(Number(high)).toBeLessThan(1024);
          expect(taken.has(level)).toBe(false);
          taken.add(level);
        }
      }),
    );
  });

  test("come from the policy's own file", () => {
    expect(parseContexts('process = "a:b:c:s0"\nfile = "d:e:f:s0"\nro_file="x"\n')).toEqual({
      process: "a:b:c:s0",
      file: "d:e:f:s0",
    });
    expect(parseContexts("")).toEqual(contexts);
  });
});

describe("planSpec() makes capabilities ambient", () => {
  const capabilitiesOf = (capabilities: object) =>
    planSpec(specInput({ security: { capabilities: { add: [], drop: [], ...capabilities } } })).process.capabilities;

  test("and grants them first, in every set", () => {
    const granted = capabilitiesOf({ drop: ["ALL"], ambient: ["NET_BIND_SERVICE"] });
    const only = ["CAP_NET_BIND_SERVICE"];
    expect(granted).toEqual({ bounding: only, effective: only, permitted: only, inheritable: only, ambient: only });
  });

  test("none of those that are dropped by name", () => {
    expect(capabilitiesOf({ drop: ["KILL"], ambient: ["KILL"] })).not.toHaveProperty("ambient");
  });

  test("all that are granted, for ALL", () => {
    const granted = capabilitiesOf({ ambient: ["ALL"] });
    expect(granted.ambient).toEqual(granted.bounding);
  });
});
