import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { unmount } from "../../src/system/mount.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { busyboxLayer } from "../support/busybox-image.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { pushImage } from "../support/push-image.ts";
import { containerConfig, execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

const hostId = 300_000;
const mapping = [{ host_id: hostId, container_id: 0, length: 65_536 }];

/** What is mounted of an agent's layers: the kernel's id of each mount, by its place. */
function layerMounts(world: World): Readonly<Record<string, number>> {
  const snapshots = join(world.agent.instance.root, "snapshots/");
  const found = listMounts().filter(({ target, type }) => type === "erofs" && target.startsWith(snapshots));
  return Object.fromEntries(found.map(({ target }) => [target.slice(snapshots.length), statSync(target).dev]));
}

/** Three layers: the second changes and hides what the first has, the third is a link to a file of the first. */
async function pushStacked(world: World, name: string) {
  const layers = [
    await busyboxLayer(),
    await buildLayer([
      { name: "etc/passwd", body: "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n" },
      { name: "www/.wh.index.html" },
      { name: "www/new", body: `new in ${name}`, uid: 1000 },
      { name: "home/.wh..wh..opq" },
      { name: "home/mine", body: "mine" },
    ]),
    await buildLayer([{ name: "usr/bin/linked", type: "hardlink", target: "etc/group" }], "zstd"),
  ];
  const image = buildImage({ layers, config: { Cmd: ["/bin/sleep", "3600"] } });
  return await pushImage(world.registry, `test/${name}`, "1", image);
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("layers kept as EROFS indexes", () => {
  const world = useWorld({ overrides: { profile: "node", images: { snapshotter: "erofs" } } });
  const exec = (id: string, script: string) => execOutput(world(), id, "/bin/sh", "-c", script);

  test("crictl pulls, runs, looks, and removes; mounts are there while a container needs them", async () => {
    const { crictl, agent } = world();
    const { reference, id } = await pushStacked(world(), "whole-life");
    await crictl.run("pull", reference);
    expect(layerMounts(world())).toEqual({});
    const [pod, image] = [podConfig(world()), { image: reference }];
    const podFile = crictl.file(pod);
    const containerFile = (name: string) => crictl.file(containerConfig(world(), name, [], { image }));
    const podId = await crictl.run("runp", podFile);
    const first = await crictl.run("create", podId, containerFile("one"), podFile);
    await crictl.run("start", first);
    const mounted = layerMounts(world());
    expect(Object.keys(mounted)).toHaveLength(3);
    const second = await crictl.run("create", podId, containerFile("two"), podFile);
    await crictl.run("start", second);
    expect(layerMounts(world())).toEqual(mounted);

    const look = "ls /www /home; cat /www/new; stat -c %u /www/new; cmp /etc/group /usr/bin/linked && echo same";
    const seen = await crictl.run("exec", first, "/bin/sh", "-c", look);
    expect(seen.split("\n")).toEqual(["/home:", "mine", "", "/www:", "new", "new in whole-life1000", "same"]);
    const change =
      "echo changed > /www/new && rm /home/mine && mkdir /etc/passwd.d && chmod 600 /bin/busybox && cat /www/new";
    expect(await crictl.run("exec", first, "/bin/sh", "-c", change)).toBe("changed");
    expect(await crictl.run("exec", second, "/bin/cat", "/www/new", "/home/mine")).toBe("new in whole-lifemine");
    const { info } = await crictl.json<{ info: { snapshotter: string } }>("inspect", first);
    expect(info.snapshotter).toBe("erofs");

    await crictl.run("rm", "-f", first);
    expect(layerMounts(world())).toEqual(mounted);
    await crictl.run("rmi", id);
    expect(await crictl.run("exec", second, "/bin/cat", "/www/new")).toBe("new in whole-life");
    await crictl.run("rmp", "-f", podId);
    expect(layerMounts(world())).toEqual({});
    expect(globSync(join(agent.instance.root, "snapshots/*"))).toEqual([]);
  });

  test("ImageFsInfo tells what the files take", async () => {
    const { client, agent } = world();
    const { reference } = await pushStacked(world(), "sizes");
    await client.call("PullImage", { image: { image: reference } });
    const { root } = agent.instance;
    const files = globSync([join(root, "snapshots/*/{tar,index}"), join(root, "content/sha256/*")]);
    const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
    const { image_filesystems } = await client.call("ImageFsInfo", {});
    expect(Number(image_filesystems[0]?.used_bytes?.value)).toBe(bytes);
  });

  test("an image of the same kind is a volume, wholly and in part", async () => {
    const { client } = world();
    const volume = await pushStacked(world(), "volume");
    await client.call("PullImage", { image: { image: volume.reference } });
    const image = { image: volume.reference };
    const mounts = [
      { container_path: "/all", image, readonly: true },
      { container_path: "/part", image, image_sub_path: "www", readonly: true },
    ];
    const { containerId } = await runContainer(world(), [], { container: { mounts } });
    expect(await exec(containerId, "ls /all/www /part; cat /part/new; ls /all/home")).toBe(
      "/all/www:\nnew\n\n/part:\nnew\nnew in volumemine\n",
    );
    await expect(exec(containerId, "touch /all/x")).rejects.toThrow("Read-only");
    expect(Object.keys(layerMounts(world())).length).toBeGreaterThanOrEqual(3);
  });

  test.each(["runc", "crun"])("a pod with a user namespace sees them as its own on %s", async (handler) => {
    const { reference } = await pushStacked(world(), `mapped-${handler}`);
    const security_context = { namespace_options: { userns_options: { uids: mapping, gids: mapping } } };
    const { containerId } = await runContainer(world(), [], {
      handler,
      pod: { linux: { security_context } },
      container: { image: { image: reference }, linux: { security_context } },
    });
    expect(await exec(containerId, "cat /proc/self/uid_map")).toMatch(/^\s*0\s+300000\s+65536\n$/);
    expect(await exec(containerId, "stat -c %u /bin/busybox /www/new /home/mine; ls /www")).toBe("0\n1000\n0\nnew\n");
    expect(await exec(containerId, "echo x >> /www/new && stat -c %u /www/new")).toBe("1000\n");
  });

  test.each(["stop", "kill"] as const)("an agent started again after a %s goes on with the mounts", async (how) => {
    const { agent } = world();
    const { reference } = await pushStacked(world(), `restart-${how}`);
    const image = { image: reference };
    const { podId, pod, containerId } = await runContainer(world(), [], { container: { image } });
    const mounted = layerMounts(world());
    await agent[how]();
    expect(layerMounts(world())).toEqual(mounted);
    await agent.start();
    expect(layerMounts(world())).toEqual(mounted);
    expect(await exec(containerId, "cat /www/new")).toBe(`new in restart-${how}`);
    const { client } = world();
    const config = containerConfig(world(), "later", [], { image });
    const later = await client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod });
    await client.call("StartContainer", { container_id: later.container_id });
    expect(layerMounts(world())).toEqual(mounted);
    await client.call("RemoveContainer", { container_id: containerId });
    expect(await exec(later.container_id, "cat /www/new")).toBe(`new in restart-${how}`);
  });

  test("mounts that a boot has ended are made anew for the next container", async () => {
    const { agent } = world();
    const { reference } = await pushStacked(world(), "boot");
    await runContainer(world(), [], { container: { image: { image: reference } } });
    await agent.kill();
    for (const target of Object.keys(layerMounts(world())))
      await unmount(join(agent.instance.root, "snapshots", target));
    await agent.start();
    expect(layerMounts(world())).toEqual({});
    const { containerId } = await runContainer(world(), [], { container: { image: { image: reference } } });
    expect(await exec(containerId, "cat /www/new")).toBe("new in boot");
    expect(Object.keys(layerMounts(world()))).toHaveLength(3);
  });
});

describe.skipIf(cannotRun("docker-registry", "runc"))("a node that is switched to EROFS", () => {
  const overrides = { images: { snapshotter: "overlay" } };
  const world = useWorld({ overrides });

  test("keeps its layers, builds on them, and switches back", async () => {
    const { agent, client } = world();
    const running = await runContainer(world());
    await agent.stop();
    agent.configure({ overrides: { images: { snapshotter: "erofs" } } });
    await agent.start();
    expect(await execOutput(world(), running.containerId, "cat", "/www/index.html")).toBe("a page from a pod\n");
    const { reference } = await pushStacked(world(), "switched");
    const image = { image: reference };
    const mixed = await runContainer(world(), [], { container: { image } });
    expect(await execOutput(world(), mixed.containerId, "ls", "/www", "/home")).toBe("/home:\nmine\n\n/www:\nnew\n");
    // The lowest layer is the busybox image's, which is a directory.
    expect(Object.keys(layerMounts(world()))).toHaveLength(2);
    await agent.stop();
    agent.configure({ overrides });
    await agent.start();
    const again = await runContainer(world(), [], { container: { image } });
    expect(await execOutput(world(), again.containerId, "cat", "/www/new")).toBe("new in switched");
    const { images } = await client.call("ListImages", {});
    expect(images).toHaveLength(2);
  });
});
