import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LinuxContainerSecurityContext } from "../../src/generated/runtime/v1/LinuxContainerSecurityContext.ts";
import { containerConfig, execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const handlers = ["runc", "crun"] as const;

describe.skipIf(cannotRun("docker-registry", "runc", "crun"))("a container's security context", () => {
  const world = useWorld({ overrides: { profile: "node" } });

  /** A running container with a shell, by its id. */
  async function run(handler: string, security_context: LinuxContainerSecurityContext, privileged = false) {
    const namespace_options = { pid: "CONTAINER" } as const;
    const pod = { linux: { security_context: { privileged, namespace_options } } };
    const linux = { security_context: { namespace_options, ...security_context } };
    const running = await runContainer(world(), [], { handler, pod, container: { linux } });
    return running.containerId;
  }

  async function refusal(security_context: LinuxContainerSecurityContext): Promise<string> {
    const { client, busybox } = world();
    await client.call("PullImage", { image: { image: busybox.reference } });
    const pod = podConfig(world());
    const { pod_sandbox_id } = await client.call("RunPodSandbox", { config: pod });
    const config = containerConfig(world(), "main", [], { linux: { security_context } });
    return client.call("CreateContainer", { pod_sandbox_id, config, sandbox_config: pod }).then(
      () => "",
      (error: Error) => error.message,
    );
  }

  const exec = (id: string, script: string) => execOutput(world(), id, "/bin/sh", "-c", script);
  const status = async (id: string, field: string) =>
    (await exec(id, `grep ^${field}: /proc/1/status`)).split(":")[1]?.trim();

  describe.each(handlers)("on %s", (handler) => {
    test("has the default filter, which blocks namespaces and lets ordinary work through", async () => {
      const id = await run(handler, { seccomp: { profile_type: "RuntimeDefault" } });
      expect(await status(id, "Seccomp")).toBe("2");
      expect(await exec(id, "unshare -U true 2>&1 || echo blocked")).toContain("blocked");
      expect((await exec(id, "echo a | sed s/a/b/; ls / | wc -l")).split("\n")[0]).toBe("b");
    });

    test("with SYS_ADMIN may change the host name through the default filter", async () => {
      const capabilities = { add_capabilities: ["SYS_ADMIN"] };
      const id = await run(handler, { seccomp: { profile_type: "RuntimeDefault" }, capabilities });
      expect(await exec(id, "hostname renamed && hostname")).toBe("renamed\n");
    });

    test("has a filter from a file, by the new field and by the old text", async () => {
      const path = join(world().agent.instance.scratch, "no-mkdir.json");
      const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }];
      writeFileSync(path, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
      for (const profile of [
        { seccomp: { profile_type: "Localhost" as const, localhost_ref: path } },
        { seccomp_profile_path: `localhost/${path}` },
      ]) {
        const id = await run(handler, profile);
        expect(await exec(id, "mkdir /tmp/x 2>&1 || echo blocked")).toContain("blocked");
      }
    });

    test.each<[string, LinuxContainerSecurityContext, boolean]>([
      ["nothing is asked", {}, false],
      ["Unconfined is asked", { seccomp: { profile_type: "Unconfined" } }, false],
      ["it is privileged", { seccomp: { profile_type: "RuntimeDefault" }, privileged: true }, true],
    ])("has no filter when %s", async (_, security, privileged) => {
      expect(await status(await run(handler, security, privileged), "Seccomp")).toBe("0");
    });

    test("keeps ambient capabilities as another user than root", async () => {
      const user = { run_as_user: { value: "1000" }, no_new_privs: true };
      const drop = { drop_capabilities: ["ALL"] };
      const plain = await run(handler, { ...user, capabilities: { ...drop, add_capabilities: ["NET_BIND_SERVICE"] } });
      expect(await status(plain, "CapEff")).toBe("0000000000000000");
      const ambient = { ...drop, add_ambient_capabilities: ["NET_BIND_SERVICE"] };
      const id = await run(handler, { ...user, capabilities: ambient });
      for (const set of ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"]) {
        expect(await status(id, set)).toBe("0000000000000400");
      }
      expect(await status(id, "NoNewPrivs")).toBe("1");
      expect(await exec(id, "grep CapEff: /proc/self/status")).toContain("0000000000000400");
    });

    test("is privileged: devices, writable sysfs and proc, all capabilities", async () => {
      const id = await run(handler, { privileged: true }, true);
      const own = /^CapPrm:\s*(\S+)/m.exec(readFileSync(`/proc/${world().agent.pid}/status`, "utf8"))?.[1];
      expect(await status(id, "CapEff")).toBe(own);
      expect(await exec(id, "ls /dev/kmsg")).toBe("/dev/kmsg\n");
      const mounts = await exec(id, "cat /proc/mounts");
      expect(mounts).toMatch(/ \/sys sysfs rw,/);
      expect(mounts).toMatch(/ \/proc proc rw,/);
      expect(mounts.split("\n").filter((line) => / \/(sys\/fs\/cgroup|proc)\/\S+ \S+ ro[, ]/.test(line))).toEqual([]);
      expect(await exec(id, "grep -c ' /proc/kcore ' /proc/self/mountinfo || true")).toBe("0\n");
    });

    test("reports exactly the groups its process has, merged and strict", async () => {
      const { client } = world();
      const asked = { run_as_user: { value: "1000" }, run_as_group: { value: "7" }, supplemental_groups: ["9", "8"] };
      for (const [policy, want] of [
        ["Merge", ["7", "8", "9", "5000"]],
        ["Strict", ["7", "8", "9"]],
      ] as const) {
        const id = await run(handler, { ...asked, supplemental_groups_policy: policy });
        expect((await exec(id, "id -G")).trim().split(" ").toSorted()).toEqual([...want].toSorted());
        const { status: shown } = await client.call("ContainerStatus", { container_id: id });
        expect(shown?.user?.linux).toEqual({ uid: "1000", gid: "7", supplemental_groups: want });
      }
    });
  });

  test.each<[LinuxContainerSecurityContext, string]>([
    [{ seccomp_profile_path: "/etc/profile.json" }, "seccomp_profile_path"],
    [{ seccomp: { profile_type: "Localhost", localhost_ref: "/nonexistent.json" } }, "can be read"],
    [{ apparmor: { profile_type: "Localhost", localhost_ref: "mine" } }, "this host has no AppArmor"],
    [{ apparmor_profile: "runtime/default" }, "this host has no AppArmor"],
    [{ selinux_options: { type: "spc_t" } }, "this host has no SELinux"],
    [{ run_as_group: { value: "5" } }, "run_as_group"],
    [{ privileged: true }, "sandbox that is not privileged"],
    [{ capabilities: { add_capabilities: ["NOTHING"] } }, "CAP_NOTHING"],
  ])("that can't be had is refused: %j", async (security, why) => {
    expect(await refusal(security)).toContain(why);
  });
});
