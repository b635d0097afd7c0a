import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mount } from "../../src/system/mount.ts";
import { output } from "./command.ts";
import { readInstanceObjects } from "./instance-objects.ts";
import { cannotRun } from "./requirements.ts";
import { sweepInstance } from "./sweep-instance.ts";
import { reserveInstance } from "./test-instance.ts";

describe.skipIf(cannotRun("ip", "nft"))("the leak check", () => {
  test("sees each kind of object an agent can leave, and the sweep takes it away", async () => {
    const instance = await reserveInstance();
    const { name, state, root } = instance;
    const pod = `podling-${name}-0123456789abc`;
    const router = `podling-${name}-vpc-main`;
    const clean = await readInstanceObjects(instance);
    expect(Object.values(clean).flat()).toEqual([]);

    await output(["ip", "netns", "add", pod]);
    await output(["ip", "netns", "add", router]);
    await output(["ip", "link", "add", `p${name}`, "type", "veth", "peer", "name", `q${name}`]);
    await output(["ip", "link", "set", `p${name}`, "alias", `podling/${name}/uplink`]);
    await output(["nft", "add", "table", "inet", `podling_${name}`]);
    await output(["ip", "netns", "exec", router, "nft", "add", "table", "ip", "guard"]);
    for (const folder of ["sandboxes/a/shm", "containers/b", `runc/podling-${name}/c`])
      mkdirSync(join(state, folder), { recursive: true });
    for (const folder of ["snapshots/1", "ingest/2", "containers/d"])
      mkdirSync(join(root, folder), { recursive: true });
    mount("tmpfs", join(state, "sandboxes/a/shm"), "tmpfs");
    mkdirSync(`/sys/fs/cgroup/memory/podling-${name}/pod`, { recursive: true });

    const found = await readInstanceObjects(instance);
    expect(found).toEqual({
      ...clean,
      netns: [pod, router],
      link: [`p${name}`],
      "nft table": [`inet podling_${name}`],
      "vpc link": [`${router}: lo`],
      "vpc nft": [expect.stringContaining("guard")],
      mount: [`/run/netns/${pod}`, `/run/netns/${router}`, join(state, "sandboxes/a/shm")],
      cgroup: [`memory/podling-${name}/pod`],
      "runtime state": ["c"],
      "sandbox bundle": ["a"],
      "container bundle": ["b"],
      "container disk": ["d"],
      snapshot: ["1"],
      ingest: ["2"],
    });

    await sweepInstance(instance);
    expect(await readInstanceObjects(instance)).toEqual(clean);
  });
});
