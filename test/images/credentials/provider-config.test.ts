import { describe, expect, test } from "vitest";
import { parseProviderConfig } from "../../../src/images/credentials/provider-config.ts";
import { parseProviderResponse, providedCredentials } from "../../../src/images/credentials/provider-response.ts";
import { parseReference } from "../../../src/images/reference.ts";

const config = (provider: object) =>
  JSON.stringify({ apiVersion: "kubelet.config.k8s.io/v1", kind: "CredentialProviderConfig", providers: [provider] });
const provider = {
  name: "acr-plugin",
  matchImages: ["*.azurecr.io"],
  defaultCacheDuration: "12h0m0s",
  apiVersion: "credentialprovider.kubelet.k8s.io/v1",
};

describe("parseProviderConfig()", () => {
  test("reads YAML as kubelet does", () => {
    const text = `
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: ecr-credential-provider
    matchImages: ["*.dkr.ecr.*.amazonaws.com", "registry.io:8080/path"]
    defaultCacheDuration: 12h
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    args: [get-credentials]
    env:
      - name: AWS_PROFILE
        value: default
`;
    expect(parseProviderConfig("p.yaml", text)).toMatchObject([
      {
        name: "ecr-credential-provider",
        defaultCacheMs: 43_200_000,
        args: ["get-credentials"],
        env: { AWS_PROFILE: "default" },
        matchImages: [{}, { port: "8080", path: "/path" }],
      },
    ]);
  });

  test.each<[object, RegExp]>([
    [{ name: "../sh" }, /providers\[0\]\.name: must be the name of a program/],
    [{ name: ".." }, /providers\[0\]\.name/],
    [{ matchImages: [] }, /providers\[0\]\.matchImages: must name images/],
    [{ matchImages: ["r.io/*"] }, /providers\[0\]\.matchImages\[0\]: must be a host/],
    [{ defaultCacheDuration: "1 day" }, /defaultCacheDuration: must be a duration/],
    [
      { apiVersion: "credentialprovider.kubelet.k8s.io/v1alpha1" },
      /must be "credentialprovider\.kubelet\.k8s\.io\/v1"/,
    ],
    [{ tokenAttributes: { requireServiceAccount: true } }, /tokenAttributes: not built yet/],
    [{ env: [{ name: "A=B", value: "x" }] }, /env\[0\]\.name/],
    [{ argv: ["x"] }, /providers\[0\]/],
  ])("%j is refused", (change, reason) => {
    expect(() => parseProviderConfig("p.yaml", config({ ...provider, ...change }))).toThrow(reason);
  });

  test.each<[string, RegExp]>([
    ["{", /Invalid "p.yaml"/],
    [config(provider).replace("/v1", "/v2"), /apiVersion: must be "kubelet\.config\.k8s\.io\/v1"/],
    ["", /Invalid "p.yaml"/],
  ])("%j is refused", (text, reason) => {
    expect(() => parseProviderConfig("p.yaml", text)).toThrow(reason);
  });
});

describe("parseProviderResponse()", () => {
  const response = {
    apiVersion: "credentialprovider.kubelet.k8s.io/v1",
    kind: "CredentialProviderResponse",
    cacheKeyType: "Registry",
    cacheDuration: "6h",
    auth: {
      "*.r.io": { username: "wild", password: "1" },
      "eu.r.io/team": { username: "team", password: "2" },
    },
  };
  const parse = (change: object = {}) => parseProviderResponse(JSON.stringify({ ...response, ...change }), "answer");

  test("gives the credentials of an image, longest path first", () => {
    expect(parse()).toMatchObject({ cacheKeyType: "Registry", cacheMs: 21_600_000 });
    const found = (image: string) =>
      providedCredentials(parse(), parseReference(image)).map(({ username }) => username);
    expect(found("eu.r.io/team/app")).toEqual(["team", "wild"]);
    expect(found("us.r.io/app")).toEqual(["wild"]);
    expect(found("other.io/app")).toEqual([]);
  });

  test("absent durations are the configuration's, and null credentials none", () => {
    expect(parse({ cacheDuration: undefined, auth: null })).toMatchObject({ cacheMs: undefined, auth: [] });
    expect(parse({ cacheDuration: "0s" }).cacheMs).toBe(0);
  });

  test.each<object>([
    { apiVersion: "v1" },
    { kind: "s3cret" },
    { cacheKeyType: "s3cret" },
    { cacheDuration: "s3cret" },
    { auth: { "r.io": "s3cret" } },
    { auth: { "r.io": { username: 1, password: "s3cret" } } },
  ])("%j is refused without a word of it", (change) => {
    expect(() => parse(change)).toThrow(expect.objectContaining({ code: "FailedPrecondition" }));
    expect(() => parse(change)).not.toThrow(/s3cret/);
  });
});
