import type { HostileImage } from "../image-trial.ts";
import { configured } from "./build.ts";
import { malformed } from "./verdicts.ts";

const asks = (name: string, config: object, verdict: HostileImage["verdict"]): HostileImage => ({
  name,
  build: () => configured(config),
  verdict,
});

/** Configurations that ask for what a container must not get. */
export const processFixtures: readonly HostileImage[] = [
  asks("UserByName", { User: "app:staff" }, { config: { user: "app:staff" } }),
  asks(
    "UserBeyond31Bits",
    { User: "2147483648" },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks(
    "UserThatWrapsToRoot",
    { User: "4294967296" },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks("UserNegative", { User: "-1" }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks("UserInHex", { User: "0x0" }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks("UserWithSpace", { User: "1000 " }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks(
    "UserOfManyDigits",
    { User: "9".repeat(400) },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks("UserWithNewline", { User: "root\n0" }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks("UserWithNul", { User: "app\0" }, malformed(/User: must be a string without NUL/)),
  asks(
    "UserWithSlash",
    { User: "../../etc/passwd" },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks(
    "UserWithThreeParts",
    { User: "1:2:3" },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks("UserGroupAlone", { User: ":0" }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks(
    "UserGroupThatWraps",
    { User: "1:4294967296" },
    malformed(/User ".*": must be a name or a number from 0 to 2147483647/),
  ),
  asks("UserWithDash", { User: "-u root" }, malformed(/User ".*": must be a name or a number from 0 to 2147483647/)),
  asks("UserOfAnotherType", { User: 0 }, malformed(/User: must be a string/)),
  asks("EnvWithNul", { Env: ["A=1\0LD_PRELOAD=/x"] }, malformed(/Env: must hold strings without NUL/)),
  asks("EnvWithoutName", { Env: ["=x"] }, malformed(/Env: every entry needs a name/)),
  asks("EnvEmpty", { Env: [""] }, malformed(/Env: every entry needs a name/)),
  asks("EnvWithoutValue", { Env: ["A"] }, { config: { env: ["A"] } }),
  asks(
    "EnvWithNewline",
    { Env: ["HOME=/root\nroot::0:0::/:/bin/sh"] },
    { config: { env: ["HOME=/root\nroot::0:0::/:/bin/sh"] } },
  ),
  asks(
    "EnvThatLoadsLibraries",
    { Env: ["LD_PRELOAD=/evil.so", "NODE_OPTIONS=--require /evil.js", "GCONV_PATH=/"] },
    { config: { env: ["LD_PRELOAD=/evil.so", "NODE_OPTIONS=--require /evil.js", "GCONV_PATH=/"] } },
  ),
  asks("EnvOfManyEntries", { Env: Array(4097).fill("A=1") }, malformed(/Env: has 4097 elements, more than 4096/)),
  asks("EnvOfAnotherType", { Env: { A: "1" } }, malformed(/Env: must be a list/)),
  asks("EnvOfNumbers", { Env: [1] }, malformed(/Env: must hold strings/)),
  asks("EntrypointAsText", { Entrypoint: "/bin/sh -c evil" }, malformed(/Entrypoint: must be a list/)),
  asks("EntrypointNested", { Entrypoint: [["/bin/sh"]] }, malformed(/Entrypoint: must hold strings/)),
  asks(
    "EntrypointNull",
    { Entrypoint: null, Cmd: null, Env: null, Labels: null, Volumes: null, User: null },
    { config: { entrypoint: [], cmd: [], env: [], volumes: [], user: "" } },
  ),
  asks("EntrypointWithNul", { Entrypoint: ["/bin/sh\0"] }, malformed(/Entrypoint: must hold strings without NUL/)),
  asks("EntrypointOfManyWords", { Entrypoint: Array(4097).fill("a") }, malformed(/Entrypoint: has 4097 elements/)),
  asks(
    "CommandWithDashes",
    { Cmd: ["--privileged", "-v", "/:/host", "", "$(reboot)"] },
    { config: { cmd: ["--privileged", "-v", "/:/host", "", "$(reboot)"] } },
  ),
  asks("WorkingDirRelative", { WorkingDir: "a/b" }, malformed(/WorkingDir.*"a\/b".*must be an absolute path/)),
  asks("WorkingDirThatClimbs", { WorkingDir: "/a/../../../etc" }, { config: { workingDir: "/etc" } }),
  asks("WorkingDirOpenFile", { WorkingDir: "/proc/self/fd/8" }, malformed(/WorkingDir.*open files/)),
  asks(
    "WorkingDirOpenFileInDisguise",
    { WorkingDir: "/proc//./self/x/../fd/8/../../../" },
    { config: { workingDir: "/proc" } },
  ),
  asks("WorkingDirOfAThread", { WorkingDir: "/proc/1/task/1/cwd" }, malformed(/WorkingDir.*open files/)),
  asks("WorkingDirWithNul", { WorkingDir: "/a\0b" }, malformed(/WorkingDir: must be a string without NUL/)),
  asks(
    "WorkingDirTooLong",
    { WorkingDir: `/${"a".repeat(4096)}` },
    malformed(/WorkingDir.*must be an absolute path of at most 4096/),
  ),
  asks("VolumeThatClimbs", { Volumes: { "/../../../etc": {} } }, { config: { volumes: ["/etc"] } }),
  asks("VolumeRelative", { Volumes: { "../etc": {} } }, malformed(/Volumes.*"\.\.\/etc".*must be an absolute path/)),
  asks("VolumeEmpty", { Volumes: { "": {} } }, malformed(/Volumes.*must be an absolute path/)),
  asks("VolumeOpenFile", { Volumes: { "/proc/self/fd/7": {} } }, malformed(/Volumes.*open files/)),
  asks("VolumeWithNul", { Volumes: { "/a\0": {} } }, malformed(/Volumes.*NUL/)),
  asks(
    "VolumesWithoutNumber",
    { Volumes: Object.fromEntries([...Array(101)].map((_, n) => [`/${n}`, {}])) },
    malformed(/Volumes: has 101 paths, more than 100/),
  ),
  asks("VolumesOfAnotherType", { Volumes: ["/a"] }, malformed(/Volumes: must be an object/)),
  asks("StopSignalUnknown", { StopSignal: "SIGEVIL" }, malformed(/StopSignal.*"SIGEVIL"/)),
  asks("StopSignalWithSpaces", { StopSignal: "SIGTERM; reboot" }, malformed(/StopSignal.*"SIGTERM; reboot"/)),
  asks("StopSignalNegative", { StopSignal: "-9" }, malformed(/StopSignal.*"-9"/)),
  asks("StopSignalHuge", { StopSignal: "99999" }, malformed(/StopSignal.*"99999"/)),
];
