import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { writeBundle } from "../../src/runtime/bundle.ts";
import { Cgroups } from "../../src/runtime/cgroups.ts";
import { readHostFacts } from "../../src/runtime/host-facts.ts";
import { preparePidHolder } from "../../src/runtime/pid-holder.ts";
import { planPidHolder } from "../../src/runtime/plan-pid-holder.ts";
import { planSpec } from "../../src/runtime/plan-spec.ts";
import { specInput } from "../runtime/spec-fixture.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { makeBusyboxRootfs } from "../support/oci-bundle.ts";
import { cannotRun } from "../support/requirements.ts";
import { shimRuntimes } from "../support/shim-runtimes.ts";
import { TestPod } from "../support/test-pod.ts";

const runtimes = [
  { name: "runc", program: "runc" },
  { name: "crun", program: join(import.meta.dirname, "../support/crun-hybrid.sh") },
];

describe.skipIf(cannotRun("runc", "crun", "catatonit")).each(runtimes)("a shared PID namespace by $name", (runtime) => {
  const id = `podling-pid-${randomBytes(4).toString("hex")}`;
  const directory = mkdtempSync("/var/tmp/podling-pid-");
  const cgroups = new Cgroups();
  const facts = readHostFacts();
  const call = (...argv: readonly string[]) =>
    runCommand([runtime.program, "--root", join(directory, "runtime"), ...argv]);

  /** Detached, for a container that held our pipes would hold up the test. */
  async function run(container: string): Promise<void> {
    const log = join(directory, `${container}.log`);
    const command = [runtime.program, "--root", join(directory, "runtime"), "run", "--detach"];
    const result = await runCommand([
      "/bin/sh",
      "-c",
      '"$@" >"$0" 2>&1 </dev/null',
      log,
      ...command,
      "--bundle",
      join(directory, container),
      container,
    ]);
    expect([result.exitCode, readFileSync(log, "utf8")]).toEqual([0, ""]);
  }

  async function pidOf(container: string): Promise<number> {
    const state = await call("state", container);
    return (JSON.parse(state.stdout) as { pid: number }).pid;
  }

  function makeContainer(name: string, pidNamespacePath: string, script: string): void {
    const bundle = join(directory, name);
    makeBusyboxRootfs(join(bundle, "rootfs"));
    const files = ["hosts", "hostname", "resolv.conf"];
    for (const file of files) {
      writeFileSync(join(directory, file), "");
      writeFileSync(join(bundle, "rootfs/etc", file), "");
    }
    mkdirSync(join(directory, "shm"), { recursive: true });
    const input = specInput({
      facts,
      settings: { command: ["/bin/sh", "-c", script] },
      security: { pid: { kind: "pod" } },
      sandbox: {
        id,
        pidNamespacePath,
        netnsPath: undefined,
        ipcPath: undefined,
        utsPath: undefined,
        hostsPath: join(directory, "hosts"),
        hostnamePath: join(directory, "hostname"),
        resolvConfPath: join(directory, "resolv.conf"),
        shmPath: join(directory, "shm"),
        cgroupParent: `/${id}`,
      },
      rest: { containerId: name },
    });
    writeBundle(bundle, planSpec(input));
  }

  afterAll(async () => {
    await cgroups.kill(`/${id}`);
    for (const container of [`${id}-a`, `${id}-b`, id]) await call("delete", "--force", container);
    await cgroups.remove(`/${id}`);
    rmSync(directory, { recursive: true, force: true });
  });

  test("lets containers see each other, reaps their orphans and outlives them", async () => {
    const rootfsPath = preparePidHolder(join(directory, "root"));
    expect(preparePidHolder(join(directory, "root"))).toBe(rootfsPath);
    const sandbox = { id, name: "pod", namespace: "default", uid: "u", cgroupParent: `/${id}` };
    const noNamespaces = { netnsPath: undefined, ipcPath: undefined, utsPath: undefined };
    writeBundle(join(directory, id), planPidHolder({ sandbox: { ...sandbox, ...noNamespaces }, rootfsPath, facts }));
    await run(id);
    const holder = await pidOf(id);
    const pidNamespacePath = `/proc/${holder}/ns/pid`;

    makeContainer(`${id}-a`, pidNamespacePath, "sleep 1000");
    // The middle process ends at once, so the last one is the namespace's init's child when it ends.
    makeContainer(`${id}-b`, pidNamespacePath, "(sleep 0.2 & exit 0); sleep 1000");
    await run(`${id}-a`);
    await run(`${id}-b`);
    const seen = await call("exec", `${id}-b`, "/bin/sh", "-c", "cat /proc/[0-9]*/comm");
    expect(seen.stdout).toContain("catatonit");
    expect(seen.stdout.match(/^sleep$|^sh$/gm)?.length).toBeGreaterThanOrEqual(2);
    const pid1 = await call("exec", `${id}-b`, "/bin/sh", "-c", "cat /proc/1/comm");
    expect(pid1.stdout.trim()).toBe("catatonit");
    const status = readFileSync(`/proc/${holder}/status`, "utf8");
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^Uid:\s+65534/m);

    await eventually("no zombie is left", async () => {
      const states = await call("exec", `${id}-a`, "/bin/sh", "-c", "cat /proc/[0-9]*/stat");
      return states.stdout.includes("(catatonit)") && !/\) Z /.test(states.stdout);
    });
    await call("delete", "--force", `${id}-a`);
    expect(await pidOf(id)).toBe(holder);
    // The last one out takes all with it.
    await call("delete", "--force", id);
    await eventually("the namespace's processes are gone", () => cgroups.pids(`/${id}`).length === 0);
  });
});

describe.skipIf(cannotRun("runc", "crun", "catatonit")).each(shimRuntimes())("%s", (_, handler) => {
  test("holds a PID namespace as the task of the pod's own bundle", async () => {
    await using pod = await TestPod.make(handler);
    const spec = planPidHolder({
      sandbox: {
        id: pod.id,
        name: "pod",
        namespace: "default",
        uid: "u",
        netnsPath: undefined,
        ipcPath: undefined,
        utsPath: undefined,
        cgroupParent: pod.cgroup,
      },
      rootfsPath: preparePidHolder(join(pod.directory, "root")),
      facts: readHostFacts(),
    });
    writeBundle(pod.bundle, spec);
    const { shim } = await pod.launch();
    const noStdio = { terminal: false, stdin: "", stdout: "", stderr: "" };
    const options = pod.launcher.options(handler);
    const pid = await shim.create({ id: pod.id, bundle: pod.bundle, ...noStdio, options });
    await shim.start(pod.id);
    await eventually("the holder", () => readFileSync(`/proc/${pid}/comm`, "utf8") === "catatonit\n");
    const container = await pod.run(shim, ["true"]);
    await pod.finish(shim, container);
    expect(await shim.state(pod.id)).toMatchObject({ kind: "running", pid });
    await shim.kill(pod.id, { signal: 9 });
    expect((await shim.wait(pod.id)).exitCode).toBe(137);
    await shim.delete(pod.id);
    await shim.shutdown(pod.id);
    await shim.closed;
  });
});
