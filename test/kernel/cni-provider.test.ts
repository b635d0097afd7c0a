import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import type { CniIntervals, CniSettings } from "../../src/network/cni/cni-provider.ts";
import { refuseProviderChange } from "../../src/network/provider-change.ts";
import { Database } from "../../src/state/database.ts";
import { killSession } from "../../src/system/captured-process.ts";
import { listPids, readCommandLine, readProcessStat } from "../../src/system/process.ts";
import { debianPlugins, lacksPlugins, newPlugins } from "../support/cni-network.ts";
import { eventually } from "../support/eventually.ts";
import { isAlive } from "../support/is-alive.ts";
import { addingAddress, RecordingPlugins } from "../support/recording-plugin.ts";
import { cannotRun } from "../support/requirements.ts";
import { bridgeKind, cniKind, ProviderBed } from "./provider-bed.ts";

/** For what takes a busy machine a while. */
const soon = { timeout: 20_000 };
const fails = (code: number, msg: string) => `echo '{"code":${code},"msg":"${msg}"}'; exit 1`;

describe.skipIf(cannotRun())("CniProvider with plugins that write down what they are asked", () => {
  let directory: string;
  let plugins: RecordingPlugins;
  let confDir: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-cni-"));
    confDir = join(directory, "net.d");
    mkdirSync(confDir);
    plugins = new RecordingPlugins(join(directory, "bin"));
    plugins.add("first", { ADD: addingAddress("10.255.0.7/24") });
    // As a chained plugin does: it gives on what it was given.
    plugins.add("second", { ADD: `printf %s "$input" | sed 's/.*"prevResult"://; s/}$//'` });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const list = (change: object = {}) => ({
    cniVersion: "1.1.0",
    name: "net",
    plugins: [{ type: "first", mtu: 1400 }, { type: "second" }],
    ...change,
  });
  function write(content: object | string = list(), file = "10-net.conflist"): void {
    writeFileSync(join(directory, "fresh"), typeof content === "string" ? content : JSON.stringify(content));
    renameSync(join(directory, "fresh"), join(confDir, file));
  }
  const newBed = (settings: Partial<CniSettings> = {}, intervals?: CniIntervals) =>
    new ProviderBed(cniKind({ confDir, binDirs: [plugins.directory, "/nowhere"], ...settings }, intervals));
  async function startedBed(settings: Partial<CniSettings> = {}, intervals?: CniIntervals): Promise<ProviderBed> {
    const bed = newBed(settings, intervals);
    await bed.provider.start(bed.live);
    return bed;
  }
  const becomes = (bed: ProviderBed, status: object) =>
    expect.poll(() => bed.provider.status(), soon).toMatchObject(status);
  function rows(bed: ProviderBed): readonly string[] {
    const database = new DatabaseSync(join(bed.directory, "records.db"), { readOnly: true });
    try {
      return database
        .prepare("SELECT id FROM attachments")
        .all()
        .map((row) => String(row["id"]));
    } finally {
      database.close();
    }
  }

  test("chains results, tells plugins of the pod, and undoes in the opposite order with what was set up", async () => {
    write();
    await using bed = await startedBed();
    const pod = await bed.addPod({ name: "web", annotations: { "example.com/a": "b" } });
    expect(pod.network).toMatchObject({ ipv4: "10.255.0.7", mac: "02:00:00:00:00:01", cniNetwork: "net" });
    write(list({ plugins: [{ type: "second", mtu: 9 }] }));
    await bed.provider.detach(pod.id, pod.netnsPath);

    const calls = plugins.calls();
    expect(calls.slice(0, 2).map(({ type, command }) => `${type} ${command}`)).toEqual([
      "first STATUS",
      "second STATUS",
    ]);
    const [add, chained, ...dels] = calls.filter(({ command }) => command !== "STATUS");
    const del = dels[1];
    expect([add, chained, ...dels].map((call) => `${call?.type} ${call?.command}`)).toEqual([
      "first ADD",
      "second ADD",
      "second DEL",
      "first DEL",
    ]);
    expect(add?.env).toEqual({
      CNI_CONTAINERID: pod.id,
      CNI_NETNS: pod.netnsPath,
      CNI_IFNAME: "eth0",
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=${pod.id};K8S_POD_UID=u-1`,
      CNI_PATH: `${plugins.directory}:/nowhere`,
    });
    expect(add?.input).toEqual({ cniVersion: "1.1.0", name: "net", type: "first", mtu: 1400 });
    const result = {
      cniVersion: "1.1.0",
      interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: pod.netnsPath }],
      ips: [{ address: "10.255.0.7/24", interface: 0 }],
      routes: [],
    };
    expect(chained?.input.prevResult).toEqual(result);
    // The file says something else by now.
    expect(del?.input).toEqual({ cniVersion: "1.1.0", name: "net", type: "first", mtu: 1400, prevResult: result });
    expect(rows(bed)).toEqual([]);
  });

  test("undoes an ADD that failed half-way, and says in the plugin's words why it did", async () => {
    write();
    plugins.answer("second", "ADD", fails(11, "the pool is being refilled"));
    await using bed = await startedBed();
    await expect(bed.addPod()).rejects.toMatchObject({
      code: "Unavailable",
      message:
        'Cannot attach pod "ns/pod" to CNI network "net": CNI plugin "second" failed to ADD (code 11, try again later): the pool is being refilled',
    });
    const attempt = plugins.calls().filter(({ command }) => command !== "STATUS");
    expect(attempt.map(({ type, command }) => `${type} ${command}`)).toEqual([
      "first ADD",
      "second ADD",
      "second DEL",
      "first DEL",
    ]);
    expect(attempt.map(({ input }) => input.prevResult === undefined)).toEqual([true, false, true, true]);
    expect(rows(bed)).toEqual([]);
  });

  test("keeps the record of what it can't undo yet, and undoes it before anything else is done for the pod", async () => {
    write();
    plugins.answer("second", "ADD", fails(999, "no"));
    plugins.answer("first", "DEL", fails(999, "not now"));
    await using bed = await startedBed();
    const id = newId();
    bed.live.add(id);
    await bed.namespaces.create({ net: bed.netnsPath(id) }, "");
    await expect(bed.provider.attach(bed.request(id))).rejects.toThrow(/"second" failed to ADD/);
    expect(rows(bed)).toEqual([id]);
    await expect(bed.provider.detach(id, bed.netnsPath(id))).rejects.toThrow(/"first" failed to DEL.*: not now/);
    await expect(bed.provider.attach(bed.request(id))).rejects.toThrow(/"first" failed to DEL/);
    plugins.answer("first", "DEL", undefined);
    plugins.answer("second", "ADD", addingAddress("10.255.0.8/24"));
    plugins.forget();
    await bed.provider.attach(bed.request(id));
    expect(plugins.names().filter((name) => !name.endsWith("STATUS"))).toEqual([
      "second DEL",
      "first DEL",
      "first ADD",
      "second ADD",
    ]);
  });

  test("takes a DEL for done where the plugin knows no such container, and halts at any other refusal", async () => {
    write();
    await using bed = await startedBed();
    const pod = await bed.addPod();
    plugins.answer("second", "DEL", fails(7, "what?"));
    plugins.forget();
    await expect(bed.provider.detach(pod.id, pod.netnsPath)).rejects.toMatchObject({ code: "FailedPrecondition" });
    expect(plugins.names()).not.toContain("first DEL");
    plugins.answer("second", "DEL", fails(3, "who?"));
    await bed.provider.detach(pod.id, pod.netnsPath);
    expect(plugins.names()).toContain("first DEL");
    expect(rows(bed)).toEqual([]);
  });

  test("tells plugins of no namespace when it is gone", async () => {
    write();
    await using bed = await startedBed();
    const pod = await bed.addPod();
    await bed.namespaces.remove({ net: pod.netnsPath });
    await bed.provider.detach(pod.id, pod.netnsPath);
    const dels = plugins.calls().filter(({ command }) => command === "DEL");
    expect(dels.map(({ env }) => env["CNI_NETNS"])).toEqual(["", ""]);
    expect(dels.every(({ input }) => input.prevResult !== undefined)).toBe(true);
  });

  test("kills a plugin that takes too long, with what it started, and undoes the rest", async () => {
    write();
    const mark = `3${process.pid}.${Date.now() % 100_000}`;
    plugins.answer("second", "ADD", `sleep ${mark} & sleep ${mark}`);
    await using bed = await startedBed({ pluginTimeoutMs: 1_000 });
    await expect(bed.addPod()).rejects.toMatchObject({
      code: "DeadlineExceeded",
      message: expect.stringContaining('CNI plugin "second" did not end its ADD within 1 s and was killed'),
    });
    expect(plugins.names()).toContain("first DEL");
    expect(listPids().filter((pid) => readCommandLine(pid).includes(mark))).toEqual([]);
  });

  test("kills a plugin that prints without end", async () => {
    write();
    plugins.answer("second", "ADD", "yes");
    await using bed = await startedBed();
    await expect(bed.addPod()).rejects.toThrow(/CNI plugin "second" printed more than 1048576 bytes for ADD/);
    expect(rows(bed)).toEqual([]);
  });

  test.each([
    ["echo nonsense", /"second" gave a result that can't be used: it must be JSON/],
    ['echo \'{"cniVersion":"1.1.0"}\'', /CNI network "net" gave "eth0" no address/],
    ["kill -9 $$", /"second" failed to ADD with SIGKILL and without a reason: it printed nothing/],
    ["echo oops >&2; exit 7", /"second" failed to ADD with 7 and without a reason: oops/],
  ])("refuses what is no result and undoes it: %s", async (answer, message) => {
    write();
    plugins.answer("second", "ADD", answer);
    await using bed = await startedBed();
    await expect(bed.addPod()).rejects.toThrow(message);
    expect(plugins.names()).toContain("first DEL");
    expect(rows(bed)).toEqual([]);
  });

  test("runs nothing for a pod whose name would tell plugins more than a name", async () => {
    write();
    await using bed = await startedBed();
    await expect(bed.addPod({ name: "a;K8S_POD_NAMESPACE=kube-system" })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    expect(plugins.names()).not.toContain("first ADD");
  });

  test("gives a pod whatever families the network has, unless it needs another", async () => {
    write();
    await using bed = await startedBed();
    const annotations = { "k8s.aliyun.com/eci-enable-ipv6": "true" };
    await expect(bed.addPod({ annotations })).rejects.toThrow(/gave a pod 10.255.0.7, and not an IPv6 address/);
    expect(rows(bed)).toEqual([]);
    plugins.answer("first", "ADD", addingAddress("fd00:255::7/64"));
    expect((await bed.addPod({ annotations })).network).toMatchObject({ ipv4: undefined, ipv6: "fd00:255::7" });
  });

  test("lets pods go while others' ADDs hang", async () => {
    write();
    const mark = `4${process.pid}.${Date.now() % 100_000}`;
    const hanging = () => listPids().filter((pid) => readCommandLine(pid).includes(mark));
    await using bed = await startedBed();
    const pod = await bed.addPod();
    plugins.answer("first", "ADD", `exec sleep ${mark}`);
    const attempts = Promise.allSettled(Array.from({ length: 18 }, () => bed.addPod()));
    await expect.poll(() => hanging().length, soon).toBe(16);
    await bed.removePod(pod.id);
    expect(hanging().length).toBe(16);
    plugins.answer("first", "ADD", "exit 1");
    for (const pid of hanging()) process.kill(pid, "SIGKILL");
    expect((await attempts).map(({ status }) => status)).toEqual(Array(18).fill("rejected"));
  });

  test("speaks the highest version that file and plugins have in common", async () => {
    plugins.add("first", { ADD: addingAddress("10.255.0.7/24", "0.4.0") }, ["0.3.1", "0.4.0"]);
    write(list({ cniVersions: ["0.3.1", "0.4.0", "1.0.0"], plugins: [{ type: "first" }, { type: "second" }] }));
    await using bed = await startedBed();
    const pod = await bed.addPod();
    await bed.removePod(pod.id);
    expect(plugins.calls().map(({ type, command, input }) => `${type} ${command} ${input.cniVersion}`)).toEqual([
      "first ADD 0.4.0",
      "second ADD 0.4.0",
      "second DEL 0.4.0",
      "first DEL 0.4.0",
    ]);
    expect(plugins.calls()[1]?.input.prevResult.ips).toEqual([
      { version: "4", address: "10.255.0.7/24", interface: 0 },
    ]);
  });

  test("says why it is not ready, and is as soon as that is put right", async () => {
    rmSync(confDir, { recursive: true });
    await using bed = await startedBed();
    expect(bed.provider.status()).toEqual({
      ready: false,
      reason: "NetworkPluginNotReady",
      message: `there is no CNI configuration in "${confDir}"`,
    });
    await expect(bed.addPod()).rejects.toMatchObject({
      code: "Unavailable",
      message: expect.stringContaining(confDir),
    });
    mkdirSync(confDir);
    write();
    await becomes(bed, { ready: true });
    // The first by name counts, whatever is wrong with it.
    write("{", "05-first.conflist");
    await becomes(bed, {
      ready: false,
      reason: "InvalidNetworkConfig",
      message: expect.stringContaining("05-first.conflist"),
    });
    write(list({ name: "other", plugins: [{ type: "absent" }] }), "05-first.conflist");
    await becomes(bed, {
      ready: false,
      reason: "NetworkPluginUnusable",
      message: expect.stringMatching(/"absent" is not there: it must be in one of .*bin, \/nowhere/),
    });
    plugins.add("absent", {}, ["0.4.0"]);
    await becomes(bed, {
      ready: false,
      message: expect.stringMatching(/offers CNI 1.1.0, and plugin "absent" speaks 0.4.0/),
    });
    plugins.add("absent", { STATUS: fails(50, "the daemon is not up") });
    await becomes(bed, {
      ready: false,
      message: expect.stringMatching(/"absent" failed to STATUS \(code 50.*daemon is not up/),
    });
    plugins.answer("absent", "STATUS", undefined);
    await becomes(bed, { ready: true });
    rmSync(join(confDir, "05-first.conflist"));
    await expect.poll(async () => (await bed.addPod()).network, soon).toMatchObject({ cniNetwork: "net" });
    rmSync(confDir, { recursive: true });
    await becomes(bed, { ready: false, reason: "NetworkPluginNotReady" });
  }, 120_000);

  test("asks a plugin that says it is not well all the same: its ADD knows best", async () => {
    write();
    plugins.answer("first", "STATUS", fails(51, "for a moment"));
    await using bed = await startedBed();
    expect(bed.provider.status().ready).toBe(false);
    await bed.addPod();
    expect(plugins.names()).toContain("second ADD");
  });

  test("adds the plugins of the directory that has the network's name, unless told not to", async () => {
    mkdirSync(join(confDir, "net"));
    writeFileSync(join(confDir, "net", "30.conf"), JSON.stringify({ type: "second", extra: true }));
    write(list({ plugins: [{ type: "first" }] }));
    await using bed = await startedBed();
    await bed.addPod();
    expect(plugins.names()).toContain("second ADD");
    plugins.forget();
    write(list({ plugins: [{ type: "first" }], loadOnlyInlinedPlugins: true }));
    await expect
      .poll(
        async () => {
          plugins.forget();
          await bed.addPod();
          return plugins.names().filter((name) => name.endsWith("ADD"));
        },
        { timeout: 20_000 },
      )
      .toEqual(["first ADD"]);
  });

  test("checks living pods at its start, and leaves them be whatever comes of it", async () => {
    write();
    await using bed = await startedBed();
    const pod = await bed.addPod();
    plugins.answer("second", "CHECK", fails(999, "a route is missing"));
    plugins.forget();
    await bed.restart();
    await expect.poll(() => plugins.names(), soon).toContain("second CHECK");
    const check = plugins.calls().find(({ command }) => command === "CHECK");
    expect(check?.input.prevResult.ips).toEqual([{ address: "10.255.0.7/24", interface: 0 }]);
    expect(await bed.provider.attach(bed.request(pod.id))).toEqual(pod.network);
    expect(plugins.names()).not.toContain("second DEL");
  });

  test("has plugins drop what is of no pod only where it is told to", async () => {
    write();
    await using bed = await startedBed();
    await bed.addPod();
    await bed.restart();
    expect(plugins.names().filter((name) => name.endsWith("GC"))).toEqual([]);
    plugins.answer("first", "GC", fails(999, "one that fails keeps no other from it"));
    await using collecting = await startedBed({ gc: true });
    expect(collecting.provider.status().ready).toBe(true);
    await expect.poll(() => plugins.names(), soon).toContain("second GC");
  });

  test("names all attachments to a GC, those of unreadable records too, and has the plugins to itself meanwhile", async () => {
    write();
    await using bed = await startedBed({ gc: true });
    const [a, b] = [await bed.addPod(), await bed.addPod()];
    const database = new DatabaseSync(join(bed.directory, "records.db"));
    database.prepare("UPDATE attachments SET body = '{}' WHERE id = ?").run(b.id);
    database.close();
    plugins.forget();
    plugins.answer("first", "GC", "sleep 1");
    plugins.answer("first", "ADD", `sleep 0.3; ${addingAddress("10.255.0.9/24")}`);
    const restarted = bed.restart();
    await expect.poll(() => plugins.spans(), soon).toContain("begin first GC");
    const pods = await Promise.all([bed.addPod(), bed.addPod()]);
    await restarted;
    const spans = plugins.spans().filter((line) => /GC$|ADD$/.test(line));
    expect(spans.slice(0, 4)).toEqual(["begin first GC", "end first GC", "begin second GC", "end second GC"]);
    const [gc] = plugins.calls().filter(({ command }) => command === "GC");
    const valid = gc?.input["cni.dev/valid-attachments"] as { containerID: string; ifname: string }[];
    expect(valid.toSorted((x, y) => x.containerID.localeCompare(y.containerID))).toEqual(
      [a.id, b.id].sort().map((containerID) => ({ containerID, ifname: "eth0" })),
    );
    for (const { id } of [a, b, ...pods]) await bed.removePod(id);
    expect(rows(bed)).toEqual([]);
  });

  test("has no GC where the network wants none", async () => {
    write(list({ disableGC: true }));
    await using _bed = await startedBed({ gc: true });
    write(list({ cniVersion: "1.0.0" }));
    await using _older = await startedBed({ gc: true });
    expect(plugins.names().filter((name) => name.endsWith("GC"))).toEqual([]);
  });

  test("takes away what a pod has by the network of now when its record can't be read", async () => {
    write();
    await using bed = await startedBed();
    const [pod, gone] = [await bed.addPod(), await bed.addPod()];
    const database = new DatabaseSync(join(bed.directory, "records.db"));
    database.exec("UPDATE attachments SET body = 'no JSON'");
    database.close();
    bed.live.delete(gone.id);
    plugins.forget();
    await bed.restart();
    await expect.poll(() => rows(bed), soon).toEqual([pod.id]);
    await bed.removePod(pod.id);
    expect(rows(bed)).toEqual([]);
    const dels = plugins.calls().filter(({ command }) => command === "DEL");
    expect(dels.map(({ type, env }) => `${type} ${env["CNI_CONTAINERID"]}`)).toEqual([
      `second ${gone.id}`,
      `first ${gone.id}`,
      `second ${pod.id}`,
      `first ${pod.id}`,
    ]);
  });

  test("starts whatever it can't take away, and tries that again and again", async () => {
    write();
    await using bed = await startedBed({}, { retryMs: 100, gcMs: 3_600_000 });
    const pod = await bed.addPod();
    bed.live.delete(pod.id);
    plugins.answer("first", "DEL", fails(999, "not now"));
    plugins.forget();
    await bed.restart();
    expect(bed.provider.status().ready).toBe(true);
    await expect.poll(() => plugins.names().filter((name) => name === "first DEL").length, soon).toBeGreaterThan(2);
    expect(rows(bed)).toEqual([pod.id]);
    plugins.answer("first", "DEL", undefined);
    await expect.poll(() => rows(bed), soon).toEqual([]);
  });

  test("runs GC again and again, and never beside an ADD or a DEL, of which many go side by side", async () => {
    write(list({ plugins: [{ type: "first" }] }));
    plugins.answer("first", "ADD", `sleep 0.2; ${addingAddress("10.255.0.7/24")}`);
    plugins.answer("first", "DEL", "sleep 0.1");
    plugins.answer("first", "GC", "sleep 0.1");
    await using bed = await startedBed({ gc: true }, { retryMs: 3_600_000, gcMs: 50 });
    const lives = Array.from({ length: 8 }, async () => {
      const { id } = await bed.addPod();
      await bed.removePod(id);
    });
    await Promise.all(lives);
    const running = { ADD: 0, DEL: 0, GC: 0 };
    let mostAdds = 0;
    let collections = 0;
    for (const line of plugins.spans()) {
      const [edge = "", , command = ""] = line.split(" ");
      if (command !== "ADD" && command !== "DEL" && command !== "GC") continue;
      running[command] += edge === "begin" ? 1 : -1;
      mostAdds = Math.max(mostAdds, running.ADD);
      if (running.GC > 0) expect(running).toEqual({ ADD: 0, DEL: 0, GC: 1 });
      if (line === "end first GC") collections++;
    }
    expect(mostAdds).toBeGreaterThan(1);
    expect(collections).toBeGreaterThan(1);
  });

  test("kills at its start the plugins that an earlier agent of the instance did not live to see end, and not their daemons", async () => {
    write();
    await using bed = newBed();
    plugins.add("slow", { ADD: "sleep 3600", DEL: "sleep 3600" });
    const path = join(plugins.directory, "slow");
    const begin = (owner: string, ...args: readonly string[]) => {
      const env = { ...process.env, PODLING_CNI_OWNER: owner, CNI_COMMAND: "ADD" };
      const child = spawn(path, args, { env, stdio: ["ignore", "ignore", "ignore"], detached: true });
      return child.pid ?? 0;
    };
    const leaders = [begin(bed.instance), begin(`${bed.instance}0`), begin(bed.instance, "daemon")] as const;
    const [stray, ofAnother, daemon] = leaders;
    const childrenOf = (leader: number) =>
      listPids().filter((pid) => pid !== leader && readProcessStat(pid)?.sessionId === leader);
    try {
      await eventually("the plugins to wait", () =>
        leaders.every((leader) => childrenOf(leader).some((pid) => readCommandLine(pid)[0] === "sleep")),
      );
      const inside = childrenOf(stray);
      await bed.provider.start(bed.live);
      expect([stray, ofAnother, daemon].map(isAlive)).toEqual([false, true, true]);
      await eventually("what the plugin ran to end", () => !inside.some(isAlive));
    } finally {
      for (const leader of leaders) killSession(leader);
    }
  });

  test("gives way to no other provider while its pods are there", async () => {
    write();
    await using bed = await startedBed();
    const pod = await bed.addPod();
    using database = Database.open(join(bed.directory, "records.db"));
    refuseProviderChange(database, "cni");
    expect(() => refuseProviderChange(database, "local-vpc")).toThrow(/1 pods have interfaces of "cni"/);
    await bed.removePod(pod.id);
    refuseProviderChange(database, "local-vpc");
  });
});

describe.skipIf(lacksPlugins(newPlugins))("CniProvider with plugins of CNI 1.1", () => {
  test("is ready only while bridge says so, which asks its address plugin", async () => {
    const kind = bridgeKind(newPlugins);
    await using bed = await ProviderBed.started(kind);
    expect(bed.provider.status().ready).toBe(true);
    const [bridge, ...others] = kind.network.list().plugins;
    kind.network.write(kind.network.list({ plugins: [{ ...bridge, ipam: { type: "absent" } }, ...others] }));
    await expect
      .poll(() => bed.provider.status(), soon)
      .toMatchObject({
        ready: false,
        reason: "NetworkPluginNotReady",
        message: expect.stringMatching(/"bridge" failed to STATUS.*"absent"/),
      });
    const id = newId();
    bed.live.add(id);
    await bed.namespaces.create({ net: bed.netnsPath(id) }, "");
    await expect(bed.provider.attach(bed.request(id))).rejects.toThrow(/"bridge" failed to ADD.*"absent"/);
    await expect(bed.removePod(id)).rejects.toThrow(/"bridge" failed to DEL.*"absent"/);
    // What could not be undone for the configuration's fault can be once that is mended.
    kind.network.write(kind.network.list({ plugins: [{ ...bridge, mtu: 1400 }, ...others] }));
    await expect.poll(() => bed.provider.status().ready, soon).toBe(true);
    await bed.removePod(id);
    expect(await bed.leftovers()).toEqual([]);
  });

  test("keeps an agent from a network whose plugins are of different versions, until they have one in common", async () => {
    const kind = bridgeKind({ ...debianPlugins, cniVersion: "1.1.0" });
    await using bed = await ProviderBed.started(kind);
    expect(bed.provider.status()).toMatchObject({
      ready: false,
      message: expect.stringMatching(/offers CNI 1.1.0, and plugin "bridge" speaks 0.1.0, .*1.0.0; plugin "tuning"/),
    });
    kind.network.write(kind.network.list({ cniVersions: ["0.4.0", "1.0.0"] }));
    await expect.poll(() => bed.provider.status().ready, soon).toBe(true);
    await bed.removePod((await bed.addPod()).id);
    expect(await bed.leftovers()).toEqual([]);
  });
});
