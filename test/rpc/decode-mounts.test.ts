import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import type { Device } from "../../src/generated/runtime/v1/Device.ts";
import type { Mount } from "../../src/generated/runtime/v1/Mount.ts";
import { decodeContainer } from "../../src/rpc/decode-container.ts";
import type { Profile } from "../../src/rpc/profile-policy.ts";
import { overTheWire } from "./wire.ts";

function decode(config: ContainerConfig, profile: Profile = "node") {
  const request = overTheWire<Parameters<typeof decodeContainer>[1]>("CreateContainerRequest", {
    pod_sandbox_id: "s",
    config: { metadata: { name: "app" }, image: { image: "debian" }, ...config },
  });
  return decodeContainer(profile, request, {
    privileged: false,
    namespaces: { network: "pod", ipc: "pod", pid: "pod" },
  }).settings;
}
const mount = (...mounts: Mount[]): ContainerConfig => ({ mounts });
const device = (...devices: Device[]): ContainerConfig => ({ devices });
const bind: Mount = { container_path: "/a", host_path: "/b" };
const image: Mount = { container_path: "/a", image: { image: "x:1" }, readonly: true };

describe("mounts and devices are decoded:", () => {
  test.each<[string, Mount, object]>([
    [
      "propagation",
      { ...bind, propagation: "PROPAGATION_BIDIRECTIONAL" },
      { hostPath: "/b", containerPath: "/a", readonly: false, propagation: "bidirectional" },
    ],
    [
      "everything a host path can have",
      {
        ...bind,
        readonly: true,
        recursive_read_only: true,
        selinux_relabel: true,
        mount_options: ["noexec", "nosuid"],
      },
      {
        hostPath: "/b",
        containerPath: "/a",
        readonly: true,
        propagation: "private",
        selinuxRelabel: true,
        recursiveReadOnly: true,
        options: ["noexec", "nosuid"],
      },
    ],
    ["an image", image, { image: "x:1", imageSubPath: "", containerPath: "/a" }],
    [
      "a part of an image",
      { ...image, image_sub_path: "etc/conf" },
      { image: "x:1", imageSubPath: "etc/conf", containerPath: "/a" },
    ],
  ])("%s", (_, asked, want) => {
    expect(decode(mount(asked)).mounts).toEqual([want]);
  });

  test.each<[Device, object]>([
    [{ host_path: "/dev/fuse" }, { hostPath: "/dev/fuse", containerPath: "", permissions: "rwm" }],
    [
      { host_path: "/dev/snd", container_path: "/dev/sound/", permissions: "r" },
      { hostPath: "/dev/snd", containerPath: "/dev/sound", permissions: "r" },
    ],
  ])("%j", (asked, want) => {
    expect(decode(device(asked)).devices).toEqual([want]);
  });
});

describe("mounts and devices are refused:", () => {
  const first = "config.mounts[0]";
  test.each<[string, ContainerConfig, string]>([
    [`${first}.recursive_read_only`, mount({ ...bind, recursive_read_only: true }), "readonly"],
    [
      `${first}.recursive_read_only`,
      mount({
        ...bind,
        readonly: true,
        recursive_read_only: true,
        propagation: "PROPAGATION_HOST_TO_CONTAINER",
      }),
      "PROPAGATION_PRIVATE",
    ],
    [
      `${first}.recursive_read_only`,
      mount({ ...bind, readonly: true, recursive_read_only: true, propagation: "PROPAGATION_BIDIRECTIONAL" }),
      "PROPAGATION_PRIVATE",
    ],
    [`${first}.mount_options[1]`, mount({ ...bind, mount_options: ["noexec", "suid"] }), "noexec"],
    [`${first}.image.image`, mount({ ...image, image: {} }), "required"],
    [`${first}.host_path`, mount({ ...image, host_path: "/b" }), "image"],
    [`${first}.readonly`, mount({ ...image, readonly: false }), "true"],
    [`${first}.propagation`, mount({ ...image, propagation: "PROPAGATION_BIDIRECTIONAL" }), "PRIVATE"],
    [`${first}.image_sub_path`, mount({ ...image, image_sub_path: "../x" }), '".."'],
    [`${first}.image_sub_path`, mount({ ...image, image_sub_path: "/x" }), "relative"],
    ["config.devices[0].host_path", device({}), "required"],
    ["config.devices[0].host_path", device({ host_path: "dev/fuse" }), "absolute"],
    ["config.devices[0].container_path", device({ host_path: "/dev/fuse", container_path: "/" }), "/"],
    ["config.devices[0].permissions", device({ host_path: "/dev/fuse", permissions: "rx" }), "rwm"],
    ["config.devices[0].permissions", device({ host_path: "/dev/fuse", permissions: "rr" }), "rwm"],
  ])("%s of %j", (field, config, message) => {
    expect(() => decode(config)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => decode(config)).toThrow(field);
    expect(() => decode(config)).toThrow(message);
  });

  test("the host's devices are not for elastic container instances", () => {
    expect(() => decode(device({ host_path: "/dev/fuse" }), "eci")).toThrow('profile = "node"');
  });
});
