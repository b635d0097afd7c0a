import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { checkUser, parseImageConfig } from "../../src/images/image-config.ts";

const digest = `sha256:${"c".repeat(64)}` as Digest;
const base = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digest] } };

function parse(config: unknown, rest: object = {}) {
  return parseImageConfig(Buffer.from(JSON.stringify({ ...base, config, ...rest })), digest);
}

describe("parseImageConfig()", () => {
  test("reads all that containers need", () => {
    const config = {
      User: "1000:www-data",
      Env: ["PATH=/bin", "EMPTY="],
      Entrypoint: ["/bin/sh"],
      Cmd: null,
      WorkingDir: "/srv/../work/",
      StopSignal: "SIGRTMIN+3",
      Volumes: { "/data/": {}, "/../../etc": {} },
      Labels: { constructor: "x", "a.b": "c" },
      ExposedPorts: "ignored",
    };
    expect(parse(config)).toEqual({
      config: {
        user: "1000:www-data",
        env: ["PATH=/bin", "EMPTY="],
        entrypoint: ["/bin/sh"],
        cmd: [],
        workingDir: "/work",
        stopSignal: "SIGRTMIN+3",
        volumes: ["/data", "/etc"],
        labels: Object.assign(Object.create(null), { constructor: "x", "a.b": "c" }),
        architecture: "amd64",
        os: "linux",
      },
      platform: { os: "linux", architecture: "amd64", variant: "" },
      diffIds: [digest],
    });
  });

  test("a label named like a part of every object is only that label", () => {
    const bytes = Buffer.from(
      `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x"}}}`,
    );
    const { labels } = parseImageConfig(bytes, digest).config;
    expect(Object.keys(labels)).toEqual(["__proto__"]);
    expect(labels["toString"]).toBeUndefined();
  });

  test("an image without a config section has defaults", () => {
    expect(parse(undefined).config).toMatchObject({ user: "", env: [], entrypoint: [], cmd: [], workingDir: "" });
  });

  test.each<[string, unknown, object, string]>([
    ["a shell string as entrypoint", { Entrypoint: "sh -c x" }, {}, "Entrypoint"],
    ["a number in Cmd", { Cmd: ["a", 1] }, {}, "Cmd"],
    ["NUL in Env", { Env: ["A=\0"] }, {}, "Env"],
    ["an Env entry without a name", { Env: ["=x"] }, {}, "Env"],
    ["a relative WorkingDir", { WorkingDir: "work" }, {}, "WorkingDir"],
    ["a WorkingDir in open files", { WorkingDir: "/proc/self/fd/8" }, {}, "CVE-2024-21626"],
    ["the same by a detour", { WorkingDir: "/x/../proc//self/./fd/8" }, {}, "CVE-2024-21626"],
    ["a relative volume", { Volumes: { data: {} } }, {}, "Volumes"],
    ["101 volumes", { Volumes: Object.fromEntries([...Array(101).keys()].map((n) => [`/${n}`, {}])) }, {}, "Volumes"],
    ["a stop signal that is none", { StopSignal: "SIG KILL" }, {}, "StopSignal"],
    ["labels that are no strings", { Labels: { a: {} } }, {}, "Labels"],
    ["labels of 300 KiB", { Labels: { a: "x".repeat(300 * 1024) } }, {}, "Labels"],
    ["a user out of range", { User: "4294967296" }, {}, "User"],
    ["no rootfs", {}, { rootfs: undefined }, "rootfs"],
    ["a diff id that is none", {}, { rootfs: { type: "layers", diff_ids: ["sha256:x"] } }, "diff_ids[0]"],
    ["no architecture", {}, { architecture: "" }, "architecture"],
    ["a config that is a list", [], {}, "config"],
  ])("refuses %s", (_name, config, rest, message) => {
    expect(() => parse(config, rest)).toThrow(
      expect.objectContaining({ code: "FailedPrecondition", message: expect.stringContaining(message) }),
    );
  });
});

describe("checkUser()", () => {
  test.each(["", "0", "root", "1000", "1000:1000", "www-data:33", "2147483647", "user:", "7zip", "_apt", "a.b@c"])(
    "accepts %j",
    (user) => {
      expect(checkUser(user, "User")).toBe(user);
    },
  );

  test.each([
    "2147483648",
    "4294967296",
    "-1",
    "+1",
    "0x0",
    "1000 ",
    " root",
    "1e3",
    "99999999999999999999",
    "00000000000",
    "root:4294967296",
    "a:b:c",
    ":",
    ":0",
    "a\nb",
    "a/b",
    "x".repeat(300),
  ])("refuses %j", (user) => {
    expect(() => checkUser(user, "User")).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
  });
});
