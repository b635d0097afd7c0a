import { describe, expect, test } from "vitest";
import { emptyEciProfile } from "../../src/manifests/eci-profile.ts";
import { parseManifests } from "../../src/manifests/manifest.ts";
import { noManifests, readNodeManifests } from "../../src/manifests/node-manifests.ts";

const read = (text: string) => readNodeManifests(parseManifests("m.yaml", text));

const podNetworking = `apiVersion: network.alibabacloud.com/v1beta1
kind: PodNetworking
metadata:
  name: pn
spec:
  selector:
    podSelector:
      matchLabels: {app: shop}
  vSwitchOptions: [vsw-a]
`;

const profile = `apiVersion: v1
kind: ConfigMap
metadata:
  name: eci-profile
  namespace: kube-system
data:
  vpcId: vpc-a
  vSwitchIds: vsw-a,vsw-b
  securityGroupId: sg-a
  enableClusterIp: "false"
  featureGates: WaitForFirstConsumer=false
  selectors: |
    [{"name": "gpu", "namespaceSelector": {"matchLabels": {"gpu": "true"}},
      "effect": {"annotations": {"k8s.aliyun.com/eci-use-specs": "4-8Gi"}, "labels": {"gpu": "test"}}}]
`;

describe("readNodeManifests()", () => {
  test("reads documents, lists and JSON, and lets other kinds be", () => {
    const list = `kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: ns, labels: {a: b}}}\n`;
    const other = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {}}';
    expect(read([podNetworking, profile, list, "# nothing\n", other].join("---\n"))).toEqual({
      podNetworkings: [
        {
          name: "pn",
          podSelector: { matchLabels: { app: "shop" }, matchExpressions: [] },
          namespaceSelector: undefined,
          vSwitchOptions: ["vsw-a"],
          vSwitchSelectionPolicy: "ordered",
          securityGroupIDs: [],
        },
      ],
      securityGroups: [],
      imageCaches: [],
      pullSecrets: new Map(),
      eciProfile: {
        ...emptyEciProfile,
        vpcId: "vpc-a",
        vSwitchIds: ["vsw-a", "vsw-b"],
        securityGroupId: "sg-a",
        enableClusterIp: false,
        selectors: [
          {
            name: "gpu",
            namespaceSelector: { matchLabels: { gpu: "true" }, matchExpressions: [] },
            objectSelector: undefined,
            annotations: { "k8s.aliyun.com/eci-use-specs": "4-8Gi" },
            labels: { gpu: "test" },
          },
        ],
      },
      namespaces: new Map([["ns", { a: "b" }]]),
    });
  });

  test.each(["", "# a comment\n", "---\n---\n"])("an empty file %j says nothing", (text) => {
    expect(read(text)).toEqual(noManifests);
  });

  const refused: ReadonlyArray<readonly [string, string, string]> = [
    ["broken YAML", "a: [1\nb: 2\n", "m.yaml:"],
    ["a key twice", `${podNetworking}kind: Other\n`, "m.yaml:10"],
    ["no object", "just text\n", "m.yaml:1: must be a Kubernetes object"],
    ["no metadata", "apiVersion: v1\nkind: Namespace\n", "m.yaml:1: Missing metadata"],
    ["no name", "apiVersion: v1\nkind: Namespace\nmetadata: {labels: {}}\n", "m.yaml:3: Missing metadata.name"],
    [
      "a label that is a number",
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: n\n  labels:\n    a: 1\n",
      "m.yaml:6: Invalid metadata.labels: must be text by key",
    ],
    [
      "a misspelt field",
      podNetworking.replace("vSwitchOptions", "vswitchOptions"),
      'm.yaml:9: PodNetworking "pn": Invalid spec.vswitchOptions: no field of that name is known',
    ],
    [
      "an unknown policy",
      `${podNetworking}  vSwitchSelectOptions:\n    vSwitchSelectionPolicy: best\n`,
      'm.yaml:11: PodNetworking "pn": Invalid spec.vSwitchSelectOptions.vSwitchSelectionPolicy: must be ordered, random or most',
    ],
    [
      "an operator without values",
      podNetworking.replace("matchLabels: {app: shop}", "matchExpressions: [{key: a, operator: In}]"),
      "In and NotIn need values",
    ],
    [
      "the same twice",
      `${podNetworking}---\n${podNetworking}`,
      'm.yaml:11: a second PodNetworking "pn": the first stands at m.yaml:1',
    ],
    [
      "selectors that are no JSON",
      profile.replace('[{"name"', '{"name"'),
      'm.yaml:12: ConfigMap "eci-profile": Invalid data.selectors: must be a JSON list of selectors',
    ],
    [
      "a selector without a name",
      profile.replace('"name": "gpu", ', ""),
      "Invalid data.selectors: must be a JSON list of selectors: 0.name: must be text",
    ],
    [
      "a flag that is a boolean",
      profile.replace('"false"', "false"),
      'm.yaml:10: ConfigMap "eci-profile": Invalid data.enableClusterIp: must be "true" or "false"',
    ],
    [
      "aliases that unfold without end",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]\n`,
      "aliases can't be resolved",
    ],
  ];
  test.each(refused)("refuses %s, naming the line", (_, text, words) => {
    expect(() => read(text)).toThrow(words);
  });
});
