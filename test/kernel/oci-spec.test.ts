import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { removeBundle, writeBundle } from "../../src/runtime/bundle.ts";
import { Cgroups } from "../../src/runtime/cgroups.ts";
import { readHostDevices } from "../../src/runtime/host-devices.ts";
import { readHostFacts } from "../../src/runtime/host-facts.ts";
import { cgroupPath, planSpec } from "../../src/runtime/plan-spec.ts";
import { podFilePaths, writePodFiles } from "../../src/runtime/pod-files.ts";
import { resolveUser } from "../../src/runtime/resolve-user.ts";
import { mountRootfs, mountShm, unmountShm } from "../../src/runtime/rootfs.ts";
import { type InputChanges, int64, specInput } from "../runtime/spec-fixture.ts";
import { type CommandResult, output, runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { makeBusyboxRootfs } from "../support/oci-bundle.ts";
import { cannotRun } from "../support/requirements.ts";

const applets = ["grep", "hostname", "wc", "stat", "touch", "mount", "env", "sort", "tail", "pwd", "mknod", "df"];
const facts = readHostFacts();
const cgroups = new Cgroups();

/** A pod's namespaces, files and layers, made with ordinary tools, for containers run by the runtime alone. */
class TestPod {
  readonly id = `podling-spec-${randomBytes(4).toString("hex")}`;
  readonly directory = mkdtempSync("/var/tmp/podling-spec-");
  readonly cgroupParent = `/${this.id}`;
  readonly files = podFilePaths(this.directory);
  readonly #lower = [join(this.directory, "init"), join(this.directory, "image")];

  async setUp(): Promise<void> {
    const [init = "", image = ""] = this.#lower;
    for (const path of ["dev", "proc", "sys", "etc"]) mkdirSync(join(init, path), { recursive: true });
    for (const name of ["hosts", "hostname", "resolv.conf"]) writeFileSync(join(init, "etc", name), "");
    makeBusyboxRootfs(image);
    for (const name of applets) symlinkSync("busybox", join(image, "bin", name));
    writeFileSync(join(image, "etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n");
    writeFileSync(join(image, "etc/group"), "root:x:0:\nextra:x:5000:app\n");
    chmodSync(join(image, "tmp"), 0o1777);
    await output(["ip", "netns", "add", this.id]);
    mkdirSync(join(this.directory, "ns"));
    for (const kind of ["ipc", "uts"]) writeFileSync(this.#ns(kind), "");
    const pins = [`--ipc=${this.#ns("ipc")}`, `--uts=${this.#ns("uts")}`];
    await output(["unshare", ...pins, "hostname", "the-pod"]);
    writePodFiles(this.directory, {
      hostname: "the-pod",
      addresses: ["10.1.2.3", "fd00::3"],
      dns: { servers: ["10.0.0.1"], searches: ["a.test"], options: ["ndots:5"] },
    });
    mountShm(this.files.shm);
  }

  /** Plans a container as the lifecycle does, and writes its bundle. */
  makeBundle(id: string, changes: InputChanges, imageUser = ""): string {
    const bundle = join(this.directory, "containers", id);
    const disk = join(this.directory, "disks", id);
    const rootfs = join(bundle, "rootfs");
    mountRootfs({ lower: this.#lower, upper: join(disk, "upper"), work: join(disk, "work"), target: rootfs });
    const input = specInput({
      ...changes,
      facts,
      sandbox: {
        id: this.id,
        netnsPath: `/run/netns/${this.id}`,
        ipcPath: this.#ns("ipc"),
        utsPath: this.#ns("uts"),
        hostsPath: this.files.hosts,
        hostnamePath: this.files.hostname,
        resolvConfPath: this.files.resolvConf,
        shmPath: this.files.shm,
        cgroupParent: this.cgroupParent,
        ...changes.sandbox,
      },
      rest: { containerId: id, ...changes.rest },
    });
    const user = resolveUser(rootfs, input.settings.security.user, imageUser);
    writeBundle(bundle, planSpec({ ...input, user }));
    return bundle;
  }

  async tearDown(): Promise<void> {
    await unmountShm(this.files.shm);
    for (const kind of ["ipc", "uts"]) await runCommand(["umount", this.#ns(kind)]);
    await runCommand(["ip", "netns", "delete", this.id]);
    await cgroups.kill(this.cgroupParent);
    await cgroups.remove(this.cgroupParent);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #ns(kind: string): string {
    return join(this.directory, "ns", kind);
  }
}

const runtimes = [
  { name: "runc", program: "runc" },
  { name: "crun", program: join(import.meta.dirname, "../support/crun-hybrid.sh") },
];

describe.skipIf(cannotRun("runc", "crun", "ip", "unshare")).each(runtimes)(
  "a planned spec run by $name",
  ({ program }) => {
    const pod = new TestPod();
    const ids: string[] = [];
    const runtime = (...argv: readonly string[]) =>
      runCommand([program, "--root", join(pod.directory, "runtime"), ...argv]);

    beforeAll(() => pod.setUp());
    afterEach(async () => {
      for (const id of ids.splice(0)) {
        await runtime("delete", "--force", id);
        await removeBundle(join(pod.directory, "containers", id));
      }
    });
    afterAll(() => pod.tearDown());

    function bundleOf(changes: InputChanges, imageUser?: string): { readonly id: string; readonly bundle: string } {
      const id = `c${randomBytes(8).toString("hex")}`;
      ids.push(id);
      return { id, bundle: pod.makeBundle(id, changes, imageUser) };
    }

    /** Runs a shell script in a container to its end. */
    async function sh(script: string, changes: InputChanges = {}, imageUser?: string): Promise<CommandResult> {
      const settings = { ...changes.settings, command: ["/bin/sh", "-c", script] };
      const { id, bundle } = bundleOf({ ...changes, settings }, imageUser);
      return await runtime("run", "--bundle", bundle, id);
    }

    async function out(script: string, changes: InputChanges = {}, imageUser?: string): Promise<readonly string[]> {
      const result = await sh(script, changes, imageUser);
      expect(result.stderr).toBe("");
      expect(result.exitCode).toBe(0);
      return result.stdout.trim().split("\n");
    }

    test("has the user and groups that the request and the image name", async () => {
      expect(await out("id -u; id -g; id -G", {}, "app")).toEqual(["1000", "1001", "1001 5000"]);
      const user = { uid: 1234, supplementalGroups: [77], supplementalGroupsPolicy: "strict" } as const;
      expect(await out("id -u; id -g; id -G", { security: { user } }, "app")).toEqual(["1234", "0", "0 77"]);
    });

    test("has the default capabilities, those added and none when all are dropped", async () => {
      const effective = "grep CapEff /proc/self/status";
      expect(await out(effective)).toEqual(["CapEff:\t00000000a80425fb"]);
      const add = { capabilities: { add: ["CAP_SYS_ADMIN"], drop: [] } };
      expect(await out(effective, { security: add })).toEqual(["CapEff:\t00000000a82425fb"]);
      const drop = { capabilities: { add: ["CAP_KILL"], drop: ["ALL"] } };
      expect(await out(effective, { security: drop })).toEqual(["CapEff:\t0000000000000020"]);
      const all = { capabilities: { add: ["ALL"], drop: [] } };
      const own = /^CapEff:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
      expect(await out(effective, { security: all })).toEqual([`CapEff:\t${own}`]);
    });

    test("sets no_new_privs as asked", async () => {
      expect(await out("grep NoNewPrivs /proc/self/status")).toEqual(["NoNewPrivs:\t0"]);
      expect(await out("grep NoNewPrivs /proc/self/status", { security: { noNewPrivileges: true } })).toEqual([
        "NoNewPrivs:\t1",
      ]);
    });

    test("can't write to a read-only root nor to the pod's files in it, but to /dev/shm", async () => {
      const script =
        "touch /x 2>/dev/null || echo root; touch /etc/hosts 2>/dev/null || echo hosts; touch /dev/shm/x; echo end";
      expect(await out(script, { security: { readonlyRootfs: true } })).toEqual(["root", "hosts", "end"]);
      expect(await out(script)).toEqual(["end"]);
    });

    test("hides masked paths and protects read-only ones", async () => {
      const script =
        "cat /proc/keys | wc -c; echo 1 2>/dev/null >/proc/sys/kernel/sysrq || echo protected; ls /sys/firmware | wc -l";
      expect(await out(script)).toEqual(["0", "protected", "0"]);
      const own = { maskedPaths: ["/tmp"], readonlyPaths: [] };
      expect(await out("ls /tmp | wc -l; touch /tmp/x 2>/dev/null || echo masked", { security: own })).toEqual([
        "0",
        "masked",
      ]);
    });

    test("sees the pod's name, files and shared memory", async () => {
      expect(await out("hostname; cat /etc/hostname; echo $HOSTNAME", { sandbox: { hostname: "the-pod" } })).toEqual([
        "the-pod",
        "the-pod",
        "the-pod",
      ]);
      expect(await out("grep the-pod /etc/hosts; cat /etc/resolv.conf")).toEqual([
        "10.1.2.3\tthe-pod",
        "fd00::3\tthe-pod",
        "search a.test",
        "nameserver 10.0.0.1",
        "options ndots:5",
      ]);
      await out("echo one >/dev/shm/note");
      expect(await out("cat /dev/shm/note; stat -c %a /dev/shm; df -k /dev/shm | tail -1 | grep -o 65536")).toEqual([
        "one",
        "1777",
        "65536",
      ]);
    });

    test("is alone in its PID namespace, shares the pod's network and IPC", async () => {
      const [pid, net, ipc] = await out("echo $$; stat -Lc %i /proc/self/ns/net; stat -Lc %i /proc/self/ns/ipc");
      const inodeOf = (path: string) => output(["stat", "-Lc", "%i", path]).then((text) => text.trim());
      expect(pid).toBe("1");
      expect(net).toBe(await inodeOf(`/run/netns/${pod.id}`));
      expect(ipc).toBe(await inodeOf(join(pod.directory, "ns/ipc")));
    });

    test("has bind mounts with their access, in order of depth", async () => {
      const outer = mkdtempSync(join(pod.directory, "outer-"));
      const inner = mkdtempSync(join(pod.directory, "inner-"));
      writeFileSync(join(inner, "file"), "inner");
      mkdirSync(join(outer, "deep"));
      const mounts = [
        { hostPath: inner, containerPath: "/data/deep", readonly: true, propagation: "private" },
        { hostPath: outer, containerPath: "/data", readonly: false, propagation: "private" },
      ] as const;
      const script = "touch /data/new; cat /data/deep/file; touch /data/deep/new 2>/dev/null || echo readonly";
      expect(await out(script, { settings: { mounts } })).toEqual(["innerreadonly"]);
      expect(readFileSync(join(outer, "new"), "utf8")).toBe("");
    });

    test("starts in the working directory, which is made when missing", async () => {
      expect(await out("pwd", { settings: { workingDir: "/made/for/it" } })).toEqual(["/made/for/it"]);
    });

    test("has limits that its cgroup shows, and an OOM kill that is counted", async () => {
      const { id, bundle } = bundleOf({
        settings: { command: ["/bin/sh", "-c", "sleep 1000"] },
        resources: {
          memoryLimitBytes: int64(32 << 20),
          cpuQuotaMicros: int64(50_000),
          cpuPeriodMicros: int64(100_000),
        },
      });
      // Detached, the runtime would keep our pipes open with the container.
      expect((await detach(id, bundle)).exitCode).toBe(0);
      const path = cgroupPath(pod.cgroupParent, id);
      const memory =
        cgroups.layout.kind === "v2"
          ? `${cgroups.layout.trees[0]}${path}/memory.max`
          : `${cgroups.layout.treeOf.get("memory")}${path}/memory.limit_in_bytes`;
      expect(readFileSync(memory, "utf8").trim()).toBe(String(32 << 20));
      expect(cgroups.pids(path).length).toBe(1);
      expect(cgroups.oomKills(path)).toBe(0);
      const hog = await runtime("exec", id, "/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1");
      expect(hog.exitCode).not.toBe(0);
      expect(cgroups.oomKills(path)).toBeGreaterThan(0);
      await cgroups.kill(path);
      await eventually("the container's end", async () => (await runtime("state", id)).stdout.includes('"stopped"'));
    });

    test("gets everything when privileged", async () => {
      const changes = {
        security: { privileged: true },
        sandbox: { privileged: true },
        rest: { hostDevices: readHostDevices() },
      };
      const own = /^CapEff:\s*(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
      const script =
        "grep CapEff /proc/self/status; touch /sys/fs/cgroup/x 2>&1 | grep -c Read-only; test -c /dev/kmsg && echo kmsg";
      expect(await out(script, changes)).toEqual([`CapEff:\t${own}`, "0", "kmsg"]);
    });

    test("can't open a device it makes", async () => {
      const result = await sh("mknod /tmp/disk b 254 0 && cat /tmp/disk");
      expect(result.exitCode).not.toBe(0);
      expect(result.stderr).toContain("Operation not permitted");
    });

    function detach(id: string, bundle: string): Promise<CommandResult> {
      const log = join(bundle, "log");
      const script = '"$@" >"$0" 2>&1 </dev/null';
      return runCommand([
        "/bin/sh",
        "-c",
        script,
        log,
        program,
        "--root",
        join(pod.directory, "runtime"),
        "run",
        "--detach",
        "--bundle",
        bundle,
        id,
      ]);
    }
  },
);
