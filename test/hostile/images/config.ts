import type { HostileImage } from "../image-trial.ts";
import { changedConfig, configured, file, imageOf } from "./build.ts";
import { malformed } from "./verdicts.ts";

const asks = (name: string, config: object, verdict: HostileImage["verdict"]): HostileImage => ({
  name,
  build: () => configured(config),
  verdict,
});
const says = (
  name: string,
  change: (config: object) => object | string,
  verdict: HostileImage["verdict"],
): HostileImage => ({
  name,
  build: async () => changedConfig(await imageOf([file("a")]), change),
  verdict,
});

/** Configurations in a form that a reader may trip over, or for others than this node. */
export const configFixtures: readonly HostileImage[] = [
  asks("LabelsHuge", { Labels: { a: "x".repeat(262_145) } }, malformed(/Labels: is longer than 262144/)),
  asks("LabelsOfNumbers", { Labels: { a: 1 } }, malformed(/Labels: must hold strings/)),
  asks(
    "LabelsOfOurs",
    {
      Labels: {
        "io.kubernetes.pod.uid": "x",
        "io.podling.command": "/bin/evil",
        "containerd.io/restart.status": "running",
      },
    },
    {
      config: {
        labels: {
          "io.kubernetes.pod.uid": "x",
          "io.podling.command": "/bin/evil",
          "containerd.io/restart.status": "running",
        },
      },
    },
  ),
  says(
    "LabelsOfAPrototype",
    (config) =>
      JSON.stringify(config).replace('"config":{}', '"config":{"Labels":{"__proto__":"x","constructor":"y"}}'),
    {
      config: {
        labels: Object.fromEntries([
          ["__proto__", "x"],
          ["constructor", "y"],
        ]),
      },
    },
  ),
  asks(
    "FieldsThatNobodyReads",
    {
      ExposedPorts: "x",
      Healthcheck: { Test: ["CMD", "evil"] },
      Shell: 5,
      OnBuild: ["RUN evil"],
      Memory: -1,
      NetworkDisabled: "x",
    },
    { config: { user: "", cmd: [], entrypoint: [] } },
  ),
  says("OtherSystem", (config) => ({ ...config, os: "windows" }), {
    refused: "NotFound",
    says: /is for platform windows\/.*this node runs linux/,
  }),
  says("OtherArchitecture", (config) => ({ ...config, architecture: "riscv128" }), {
    refused: "NotFound",
    says: /is for platform linux\/riscv128: this node runs linux/,
  }),
  says(
    "WithoutArchitecture",
    (config) => ({ ...config, architecture: undefined }),
    malformed(/os and architecture are required/),
  ),
  says("WithoutRootfs", (config) => ({ ...config, rootfs: undefined }), malformed(/rootfs: must be an object/)),
  says(
    "RootfsOfAnotherType",
    (config) => ({ ...config, rootfs: { type: "remote", diff_ids: [] } }),
    malformed(/rootfs\.type: must be "layers"/),
  ),
  says(
    "MoreDiffIdsThanLayers",
    (config) => ({ ...config, rootfs: { type: "layers", diff_ids: Array(2).fill(`sha256:${"0".repeat(64)}`) } }),
    malformed(/has 1 layers in its manifest and 2 in its configuration/),
  ),
  says(
    "ManyDiffIds",
    (config) => ({ ...config, rootfs: { type: "layers", diff_ids: Array(1001).fill(`sha256:${"0".repeat(64)}`) } }),
    malformed(/diff_ids: has 1001 elements, more than 1000/),
  ),
  says(
    "DiffIdsOfNumbers",
    (config) => ({ ...config, rootfs: { type: "layers", diff_ids: [5] } }),
    malformed(/rootfs\.diff_ids\[0\]/),
  ),
  says("ConfigAsList", (config) => ({ ...config, config: [] }), malformed(/config: must be an object/)),
  says("ConfigNull", (config) => ({ ...config, config: null }), { config: { user: "", env: [], cmd: [] } }),
  says(
    "HistoryOfNonsense",
    (config) => ({ ...config, history: "x", created: -1, author: { a: 1 }, extra: Array(1000).fill(0) }),
    { config: { user: "", env: [] } },
  ),
  says("TextThatIsNoJson", () => "config: {}", malformed(/is not JSON/)),
  says("JsonWithByteOrderMark", (config) => `\ufeff${JSON.stringify(config)}`, malformed(/is not JSON/)),
  says("JsonNestedDeep", () => `${"[".repeat(70)}${"]".repeat(70)}`, malformed(/nested deeper than 64/)),
  says(
    "JsonOfNineMebibytes",
    (config) => JSON.stringify({ ...config, padding: "x".repeat(9 * 2 ** 20) }),
    malformed(/9437\d+ bytes.*8388608/),
  ),
  says(
    "UserNamedTwice",
    (config) => JSON.stringify(config).replace('"config":{}', '"config":{"User":"1000","User":"0"}'),
    malformed(/names "User" twice/),
  ),
];
