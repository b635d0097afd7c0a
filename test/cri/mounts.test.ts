import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import { output } from "../support/command.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { pushImage } from "../support/push-image.ts";
import { containerConfig, execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("mounts", () => {
  const world = useWorld({ overrides: { profile: "node" } });

  const scratch = (name: string) => {
    const path = join(world().agent.instance.scratch, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const exec = (containerId: string, script: string) =>
    world().client.call("ExecSync", { container_id: containerId, cmd: ["/bin/sh", "-c", script], timeout: 10 });
  const run = (handler: string, container: ContainerConfig, privileged = false) => {
    const security_context = { privileged };
    return runContainer(world(), [], {
      handler,
      container: { linux: { security_context }, ...container },
      pod: { linux: { security_context } },
    });
  };

  describe.each(["runc", "crun"])("on %s", (handler) => {
    test("a host path that is a link is resolved, one that is missing is made, and all are told as asked for", async () => {
      const directory = scratch(`links-${handler}`);
      mkdirSync(join(directory, "real"));
      writeFileSync(join(directory, "real/file"), "through the link");
      symlinkSync("real", join(directory, "link"));
      const mounts = [
        { host_path: join(directory, "link"), container_path: "/data/", readonly: true, mount_options: ["noexec"] },
        { host_path: join(directory, "made/here"), container_path: "/made", selinux_relabel: true },
      ];
      const { containerId } = await run(handler, { mounts });
      expect(await execOutput(world(), containerId, "cat", "/data/file")).toBe("through the link");
      expect((await exec(containerId, "echo x > /data/new")).stderr.toString()).toContain("Read-only");
      expect((await exec(containerId, "grep ' /data ' /proc/mounts")).stdout.toString()).toContain("noexec");
      await execOutput(world(), containerId, "touch", "/made/it");
      expect(existsSync(join(directory, "made/here/it"))).toBe(true);
      const { status } = await world().client.call("ContainerStatus", { container_id: containerId });
      expect(status?.mounts).toMatchObject(mounts);
    });

    test("mounts pass between host and container as the propagation says", async () => {
      const directory = scratch(`propagation-${handler}`);
      for (const name of ["source", "shared", "shared/from-host", "shared/from-container"])
        mkdirSync(join(directory, name), { recursive: true });
      writeFileSync(join(directory, "source/flag"), "");
      const shared = join(directory, "shared");
      await output(["mount", "--bind", shared, shared]);
      try {
        await output(["mount", "--make-shared", shared]);
        const ids = new Map<string, string>();
        for (const propagation of ["PRIVATE", "HOST_TO_CONTAINER", "BIDIRECTIONAL"] as const) {
          const mounts = [
            { host_path: shared, container_path: "/shared", propagation: `PROPAGATION_${propagation}` as const },
          ];
          ids.set(propagation, (await run(handler, { mounts }, true)).containerId);
        }
        await output(["mount", "--bind", join(directory, "source"), join(shared, "from-host")]);
        const sees = async (name: string) =>
          (await exec(ids.get(name) ?? "", "ls /shared/from-host")).stdout.toString();
        expect(await sees("PRIVATE")).toBe("");
        expect(await sees("HOST_TO_CONTAINER")).toBe("flag\n");
        expect(await sees("BIDIRECTIONAL")).toBe("flag\n");
        for (const [name, passes] of [
          ["HOST_TO_CONTAINER", false],
          ["BIDIRECTIONAL", true],
        ] as const) {
          const mounted = await exec(ids.get(name) ?? "", "mount --bind /etc /shared/from-container");
          expect(mounted.exit_code).toBe(0);
          expect(existsSync(join(shared, "from-container/passwd"))).toBe(passes);
        }
      } finally {
        await output(["umount", "-R", shared]);
      }
    });

    test("a source that can't pass mounts on is refused", async () => {
      const directory = scratch(`unshared-${handler}`);
      await output(["mount", "--bind", directory, directory]);
      try {
        await output(["mount", "--make-private", directory]);
        const mounts = [
          { host_path: directory, container_path: "/x", propagation: "PROPAGATION_BIDIRECTIONAL" as const },
        ];
        await expect(run(handler, { mounts })).rejects.toMatchObject({
          code: 3,
          details: expect.stringContaining("a shared mount of the host"),
        });
      } finally {
        await output(["umount", directory]);
      }
    });

    test("recursively read-only covers what is mounted below", async () => {
      const directory = scratch(`rro-${handler}`);
      const below = join(directory, "below");
      mkdirSync(below);
      await output(["mount", "-t", "tmpfs", `rro-${world().agent.instance.name}`, below]);
      try {
        const { runtime_handlers } = await world().client.call("Status", {});
        expect(runtime_handlers.find(({ name }) => name === handler)?.features?.recursive_read_only_mounts).toBe(true);
        const mounts = [
          { host_path: directory, container_path: "/plain", readonly: true },
          { host_path: directory, container_path: "/deep", readonly: true, recursive_read_only: true },
        ];
        const { containerId } = await run(handler, { mounts });
        expect((await exec(containerId, "touch /plain/below/x")).exit_code).toBe(0);
        expect((await exec(containerId, "touch /deep/below/x")).stderr.toString()).toContain("Read-only");
        const { status } = await world().client.call("ContainerStatus", { container_id: containerId });
        expect(status?.mounts.map(({ recursive_read_only }) => recursive_read_only)).toEqual([false, true]);
      } finally {
        await output(["umount", below]);
      }
    });

    test("devices come with their rights, by link and by directory", async () => {
      const directory = scratch(`devices-${handler}`);
      const nodes = join(directory, "nodes");
      mkdirSync(nodes);
      // No driver need be behind them: the device cgroup is asked first, and refuses with words of its own.
      await output(["mknod", "-m", "666", join(nodes, "one"), "c", "10", "229"]);
      await output(["mknod", "-m", "666", join(nodes, "two"), "c", "10", "200"]);
      symlinkSync(join(nodes, "one"), join(directory, "link"));
      const devices = [
        { host_path: join(directory, "link"), container_path: "/dev/mine", permissions: "r" },
        { host_path: nodes, container_path: "/dev/all", permissions: "rw" },
      ];
      const { containerId } = await run(handler, { devices });
      const listed = await execOutput(world(), containerId, "ls", "-l", "/dev/mine", "/dev/all/one", "/dev/all/two");
      expect(listed).toMatch(/10, +229 .*\/dev\/mine/);
      expect(listed).toMatch(/10, +200 .*\/dev\/all\/two/);
      expect((await exec(containerId, ": < /dev/all/two")).stderr.toString()).not.toContain("not permitted");
      expect((await exec(containerId, ": > /dev/all/two")).stderr.toString()).not.toContain("not permitted");
      const reader = await run(handler, { devices: devices.slice(0, 1) });
      expect((await exec(reader.containerId, ": < /dev/mine")).stderr.toString()).not.toContain("not permitted");
      expect((await exec(reader.containerId, ": > /dev/mine")).stderr.toString()).toContain("not permitted");
      await expect(run(handler, { devices: [{ host_path: "/dev/nowhere" }] })).rejects.toMatchObject({ code: 3 });
      await expect(run(handler, { devices: [{ host_path: "/etc/passwd" }] })).rejects.toMatchObject({
        details: expect.stringContaining("no device node"),
      });
    });

    test("a read-only root lets volumes be written and nothing else", async () => {
      const directory = scratch(`root-${handler}`);
      const linux = { security_context: { readonly_rootfs: true } };
      const mounts = [{ host_path: directory, container_path: "/data" }];
      const { containerId } = await run(handler, { mounts, linux });
      expect((await exec(containerId, "touch /x; touch /etc/hosts; touch /data/x")).stderr.toString()).toMatch(
        /\/x: Read-only[\s\S]*\/etc\/hosts: Read-only/,
      );
      expect(existsSync(join(directory, "x"))).toBe(true);
    });
  });

  describe.each(["runc", "crun"])("of images on %s", (handler) => {
    const pushVolumeImage = async () => {
      const lower = await buildLayer([
        { name: "bin/tool", body: "#!/bin/sh\necho runs\n", mode: 0o755 },
        { name: "etc/conf/a", body: "a" },
        { name: "etc/gone", body: "x" },
        { name: "out", type: "symlink", target: "/etc" },
        { name: "far", type: "symlink", target: "../../../../../../etc" },
      ]);
      const upper = await buildLayer([{ name: "etc/.wh.gone" }, { name: "etc/conf/b", body: "b" }]);
      return pushImage(world().registry, `test/volume-${handler}`, "1", buildImage({ layers: [lower, upper] }));
    };

    test("files are seen, run and not changed; the image stays while it is mounted", async () => {
      const { client, crictl, agent } = world();
      const volume = await pushVolumeImage();
      await client.call("PullImage", { image: { image: volume.reference } });
      const mounts = [
        { container_path: "/all", image: { image: volume.reference }, readonly: true },
        { container_path: "/part", image: { image: volume.reference }, image_sub_path: "out/conf", readonly: true },
        { container_path: "/one", image: { image: volume.id }, image_sub_path: "bin/tool", readonly: true },
      ];
      const { containerId } = await run(handler, { mounts });
      expect(await execOutput(world(), containerId, "ls", "/all/etc", "/part")).toBe(
        "/all/etc:\nconf\n\n/part:\na\nb\n",
      );
      expect(await execOutput(world(), containerId, "/all/bin/tool")).toBe("runs\n");
      expect(await execOutput(world(), containerId, "/one")).toBe("runs\n");
      expect((await exec(containerId, "touch /all/x")).stderr.toString()).toContain("Read-only");
      const { status } = await client.call("ContainerStatus", { container_id: containerId });
      expect(status?.mounts).toMatchObject(mounts);
      expect(status?.mounts[0]?.image?.image_ref).toMatch(/@sha256:[0-9a-f]{64}$/);
      await crictl.run("rmi", volume.id);
      await agent.kill();
      await agent.start();
      expect(await execOutput(world(), containerId, "cat", "/part/a")).toBe("a");
    });

    test("what the image does not have, or the node, is refused and leaves nothing", async () => {
      const { client } = world();
      const volume = await pushVolumeImage();
      await client.call("PullImage", { image: { image: volume.reference } });
      const attempt = (mount: object) =>
        run(handler, {
          mounts: [{ container_path: "/v", image: { image: volume.reference }, readonly: true, ...mount }],
        });
      for (const image_sub_path of ["missing", "bin/tool/below", "far/shadow"]) {
        await expect(attempt({ image_sub_path })).rejects.toMatchObject({
          details: expect.stringMatching(/^ImageVolumeMountFailed: .*does not exist in the image/),
        });
      }
      await expect(attempt({ image: { image: "nowhere/at:all" } })).rejects.toMatchObject({
        details: expect.stringMatching(/^ImageVolumeMountFailed: .*pull it first/),
      });
      await expect(attempt({ readonly: false })).rejects.toMatchObject({ code: 3 });
      expect((await client.call("ListContainers", {})).containers).toEqual([]);
    });
  });

  test("crictl mounts an image", async () => {
    const { crictl, client } = world();
    const layer = await buildLayer([{ name: "hello", body: "from an image" }]);
    const volume = await pushImage(world().registry, "test/volume", "1", buildImage({ layers: [layer] }));
    for (const reference of [volume.reference, world().busybox.reference]) await crictl.run("pull", reference);
    const pod = podConfig(world());
    const mounts = [{ container_path: "/v", image: { image: volume.reference }, readonly: true }];
    const [podFile, containerFile] = [
      crictl.file(pod),
      crictl.file(containerConfig(world(), "main", ["/bin/cat", "/v/hello"], { mounts })),
    ];
    const podId = await crictl.run("runp", podFile);
    const id = await crictl.run("create", podId, containerFile, podFile);
    await crictl.run("start", id);
    const log = join(pod.log_directory ?? "", "main.log");
    await expect.poll(() => readFileSync(log, "utf8")).toContain("from an image");
    chmodSync(log, 0o600);
    expect((await client.call("ContainerStatus", { container_id: id })).status?.mounts).toHaveLength(1);
  });
});
