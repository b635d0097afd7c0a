import { describe, expect, test } from "vitest";
import { planAcr } from "../../../src/images/credentials/plan-acr.ts";
import { parseReference } from "../../../src/images/reference.ts";
import { type AcrConfiguration, parseAcrConfiguration } from "../../../src/manifests/acr-configuration.ts";
import { parseManifests } from "../../../src/manifests/manifest.ts";

/** The ConfigMap as an operator writes it. */
function configuration(data: string): AcrConfiguration {
  const indented = data.replaceAll(/^/gm, "  ");
  const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: acr-configuration, namespace: kube-system}\ndata:\n${indented}`;
  const [manifest] = parseManifests("acr.yaml", text);
  if (manifest === undefined) throw new Error("no manifest");
  return parseAcrConfiguration(manifest);
}

const registries = `acr-registry-info: |
  - instanceId: cri-own
    domains: own.example, Other.Example
  - instanceId: cri-far
    regionId: cn-beijing
  - instanceId: ""
    regionId: cn-hangzhou`;
const everywhere = `service-account: "*"\nwatch-namespace: all\n${registries}`;
const ids = "k8s.aliyun.com/acr-instance-ids";

interface Pod {
  readonly image?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function plan(data: string | undefined, pod: Pod = {}, region = "cn-shanghai") {
  const { image = "own.example/app", namespace = "default", serviceAccount = "", annotations = {} } = pod;
  const request = { reference: parseReference(image), pod: { namespace, serviceAccount, annotations } };
  const targets = planAcr(request, data === undefined ? undefined : configuration(data), region);
  return targets.map((target) => `${target.regionId}:${target.instanceId}${target.domains === undefined ? "?" : ""}`);
}

describe("planAcr()", () => {
  test.each<[string, string | undefined, Pod, readonly string[]]>([
    ["nothing says anything", undefined, {}, []],
    ["all namespaces and accounts", everywhere, {}, ["cn-shanghai:cri-own", "cn-beijing:cri-far?"]],
    [
      "a domain in other letters",
      everywhere,
      { image: "other.example/app" },
      ["cn-shanghai:cri-own", "cn-beijing:cri-far?"],
    ],
    ["a domain that is not listed", everywhere, { image: "third.example/app" }, ["cn-beijing:cri-far?"]],
    ["defaults, and an unknown account", registries, {}, []],
    [
      "defaults, and the default account",
      registries,
      { serviceAccount: "default" },
      ["cn-shanghai:cri-own", "cn-beijing:cri-far?"],
    ],
    ["another account", registries, { serviceAccount: "builder" }, []],
    ["another namespace", registries, { serviceAccount: "default", namespace: "other" }, []],
    [
      "listed namespaces and accounts",
      `service-account: a, b\nwatch-namespace: n,m\n${registries}`,
      { serviceAccount: "b", namespace: "m" },
      ["cn-shanghai:cri-own", "cn-beijing:cri-far?"],
    ],
    [
      "an annotation",
      undefined,
      { annotations: { [ids]: "cri-a1, cn-beijing:cri-b2" } },
      ["cn-shanghai:cri-a1?", "cn-beijing:cri-b2?"],
    ],
    [
      "the old annotation",
      undefined,
      { annotations: { "k8s.aliyun.com/acr-instance-id": "cri-a" } },
      ["cn-shanghai:cri-a?"],
    ],
    [
      "the new annotation before the old",
      undefined,
      { annotations: { [ids]: "cri-a", "k8s.aliyun.com/acr-instance-id": "cri-b" } },
      ["cn-shanghai:cri-a?"],
    ],
    ["an empty annotation", undefined, { annotations: { [ids]: " " } }, []],
    [
      "both, one of them twice",
      everywhere,
      { annotations: { [ids]: "cn-beijing:cri-far" } },
      ["cn-beijing:cri-far?", "cn-shanghai:cri-own"],
    ],
    ["an empty configuration", 'notify-email: "a@b"', { serviceAccount: "default" }, []],
  ])("%s", (_name, data, pod, wanted) => {
    expect(plan(data, pod)).toEqual(wanted);
  });

  test.each<[string, string | undefined, Pod, string, RegExp]>([
    [
      "a malformed id",
      undefined,
      { annotations: { [ids]: "cri-a,../x" } },
      "r",
      /Invalid annotation k8s\.aliyun\.com\/acr-instance-ids "\.\.\/x"/,
    ],
    [
      "a host in place of a region",
      undefined,
      { annotations: { [ids]: "evil.example/:cri-a" } },
      "r",
      /Invalid annotation/,
    ],
    ["no region", undefined, { annotations: { [ids]: "cri-a" } }, "", /names no region: set registry\.acr\.region/],
    [
      "roles of other accounts",
      undefined,
      { annotations: { [ids]: "cri-a", "k8s.aliyun.com/acr-user-arns": "acs:ram::1:role/x" } },
      "r",
      /acr-user-arns is not built yet/,
    ],
    [
      "configured roles",
      'service-account: "*"\nacr-registry-info: |\n  - instanceId: cri-x\n    assumeRoleARN: acs:ram::1:role/x',
      {},
      "r",
      /roles of other accounts/,
    ],
  ])("%s is refused", (_name, data, pod, region, reason) => {
    expect(() => plan(data, pod, region)).toThrow(reason);
  });

  test.each<[string, RegExp]>([
    ["acr-registry-info: '{'", /acr\.yaml:5: ConfigMap "acr-configuration": Invalid data\.acr-registry-info/],
    ["acr-registry-info: 'x: 1'", /must be a list of registries/],
    ["expiring-threshold: soon", /Invalid data\.expiring-threshold: must be a duration/],
    ["service-account: [a]", /Invalid data\.service-account: must be text/],
  ])("the configuration %j is refused with its line", (data, reason) => {
    expect(() => configuration(data)).toThrow(reason);
  });
});
