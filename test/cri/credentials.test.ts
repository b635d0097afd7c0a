import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listPids, readCommandLine } from "../../src/system/process.ts";
import { AcrDouble } from "../images/credentials/acr-double.ts";
import { Agent } from "../support/agent.ts";
import { CriClient } from "../support/cri-client.ts";
import { Crictl } from "../support/crictl.ts";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { Registry, registryPassword, registryUser } from "../support/registry.ts";
import { cannotRun } from "../support/requirements.ts";
import { reserveInstance } from "../support/test-instance.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const key = { id: "LTAI-test", secret: "acs-s3cret", securityToken: "sts-s3cret" };
const secrets = [registryPassword, key.secret, key.securityToken, base64(`${registryUser}:${registryPassword}`)];

describe.skipIf(cannotRun("crictl", "docker-registry"))("pulls without credentials of their own", () => {
  const resources = new AsyncDisposableStack();
  let agent: Agent;
  let client: CriClient;
  let crictl: Crictl;
  let registry: Registry;
  let image: PushedImage;
  let acr: AcrDouble;
  let before: HostSnapshot;
  let scratch: string;
  const path = process.env["PATH"];

  /** A program of a few lines of shell that the agent runs. */
  function program(name: string, script: string): void {
    writeFileSync(join(scratch, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(scratch, "bin", name), 0o755);
  }

  const dockerConfig = (config: object) => writeFileSync(join(scratch, "config.json"), JSON.stringify(config));
  const marked = (name: string) => {
    try {
      return readFileSync(join(scratch, name), "utf8");
    } catch {
      return "";
    }
  };

  beforeAll(async () => {
    const instance = await reserveInstance();
    scratch = instance.scratch;
    mkdirSync(join(scratch, "bin"), { recursive: true });
    registry = resources.use(await Registry.start({ directory: join(scratch, "registry"), protected: true }));
    image = await pushImage(
      registry,
      "private/app",
      "1",
      buildImage({ layers: [await buildLayer([{ name: "a", body: "a" }])] }),
    );
    acr = resources.use(
      await AcrDouble.start({
        key,
        login: { username: registryUser, password: registryPassword },
        domains: new Map([
          ["cri-own", [registry.host]],
          ["cri-far", ["far-registry.cn-beijing.cr.aliyuncs.com"]],
        ]),
      }),
    );
    const provider = {
      name: "plugin",
      matchImages: [registry.host],
      defaultCacheDuration: "1h",
      apiVersion: "credentialprovider.kubelet.k8s.io/v1",
      args: ["--give"],
      env: [{ name: "SCRATCH", value: scratch }],
    };
    const providers = {
      apiVersion: "kubelet.config.k8s.io/v1",
      kind: "CredentialProviderConfig",
      providers: [provider],
    };
    writeFileSync(join(scratch, "providers.yaml"), JSON.stringify(providers));
    // Helpers are found in the agent's PATH.
    process.env["PATH"] = `${join(scratch, "bin")}:${path}`;
    const overrides = {
      registry: {
        config_path: join(scratch, "certs.d"),
        docker_config: join(scratch, "config.json"),
        credential_providers: join(scratch, "providers.yaml"),
        credential_provider_bin_dir: join(scratch, "bin"),
        acr: { region: "cn-shanghai", endpoint: acr.url, ram_role: "puller", metadata_endpoint: acr.url },
      },
    };
    program("plugin", "exit 3");
    agent = resources.use(await Agent.start({ mirrors: { [registry.host]: registry.host }, overrides }, instance));
    process.env["PATH"] = path;
    client = resources.use(new CriClient(agent.socket));
    crictl = new Crictl(agent);
  });
  beforeEach(async () => {
    program("plugin", `printf '%s' '${JSON.stringify(answer({}))}'`);
    rmSync(join(scratch, "config.json"), { force: true });
    acr.calls.length = 0;
    before = await hostSnapshot(agent);
  });
  afterEach(async () => {
    await client.call("RemoveImage", { image: { image: image.id } });
    await expectNoLeaks(agent, before);
    for (const secret of secrets) expect(agent.log()).not.toContain(secret);
  });
  afterAll(async () => {
    process.env["PATH"] = path;
    try {
      await agent.stop();
      await expectNothingLeft(agent);
    } finally {
      await resources.disposeAsync();
    }
  });

  /** What a plugin says; without credentials unless given. */
  function answer(parts: object): object {
    return {
      apiVersion: "credentialprovider.kubelet.k8s.io/v1",
      kind: "CredentialProviderResponse",
      cacheKeyType: "Image",
      cacheDuration: "0s",
      auth: {},
      ...parts,
    };
  }

  test("without any source the registry's refusal is told", async () => {
    expect(await crictl.refused("pull", image.reference)).toMatch(/code = Unauthenticated/);
  });

  test.each<[string, () => object]>([
    ["auth", () => ({ auths: { [registry.host]: { auth: base64(`${registryUser}:${registryPassword}`) } } })],
    [
      "a path",
      () => ({
        auths: { [`http://${registry.host}/private`]: { username: registryUser, password: registryPassword } },
      }),
    ],
    [
      "a second entry after one that the registry refuses",
      () => ({
        auths: {
          [`${registry.host}/private/app`]: { username: registryUser, password: "old" },
          [registry.host]: { username: registryUser, password: registryPassword },
        },
      }),
    ],
  ])("a docker config gives credentials by %s", async (_name, config) => {
    dockerConfig(config());
    expect(await crictl.run("pull", image.reference)).toContain(image.id);
  });

  test("a docker config for another path gives none", async () => {
    dockerConfig({ auths: { [`${registry.host}/other`]: { username: registryUser, password: registryPassword } } });
    expect(await crictl.refused("pull", image.reference)).toMatch(/code = Unauthenticated/);
  });

  test("a request's own credentials win, right or wrong", async () => {
    dockerConfig({ auths: { [registry.host]: { username: registryUser, password: registryPassword } } });
    expect(await crictl.refused("pull", "--creds", `${registryUser}:wrong`, image.reference)).toMatch(
      /Unauthenticated/,
    );
    dockerConfig({ auths: { [registry.host]: { username: registryUser, password: "wrong" } } });
    await crictl.run("pull", "--creds", `${registryUser}:${registryPassword}`, image.reference);
  });

  test("a helper is asked for the registry by its standard input, with no environment but HOME and PATH", async () => {
    const secret = JSON.stringify({ ServerURL: registry.host, Username: registryUser, Secret: registryPassword });
    program(
      "docker-credential-test",
      `printf '%s ' "$*" >${scratch}/asked; cat >>${scratch}/asked; env >${scratch}/env\nprintf '%s' '${secret}'`,
    );
    dockerConfig({ credHelpers: { [registry.host]: "test" } });
    await crictl.run("pull", image.reference);
    expect(marked("asked")).toBe(`get ${registry.host}`);
    const names = marked("env")
      .split("\n")
      .map((line) => line.split("=")[0] ?? "")
      .filter((name) => name !== "" && name !== "PWD" && name !== "_" && name !== "SHLVL");
    expect(names.toSorted()).toEqual(["HOME", "PATH"]);
  });

  test.each<[string, string, RegExp]>([
    [
      "does not know it",
      "echo credentials not found in native keychain; exit 1",
      /code = Unauthenticated(?!.*credentials not found)/s,
    ],
    [
      "fails",
      `echo ${registryPassword.replaceAll(/[& ]/g, "\\$&")} >&2; exit 4`,
      /docker-credential-test\\?" failed with exit code 4/,
    ],
    ["answers nonsense", "echo '{\"Username\":1}'", /answers without Username and Secret/],
    ["answers without end", "exec yes", /prints more than 1048576 bytes/],
    ["is killed", "kill -9 $$", /was ended by SIGKILL/],
  ])("a helper that %s leaves the pull anonymous, and is told of", async (_name, script, reason) => {
    program("docker-credential-test", script);
    dockerConfig({ credsStore: "test" });
    const refusal = await crictl.refused("pull", image.reference);
    expect(refusal).toMatch(reason);
    expect(refusal).not.toContain(registryPassword);
  });

  test("a helper that is not installed, and a config that is none, are told of", async () => {
    dockerConfig({ credsStore: "absent" });
    expect(await crictl.refused("pull", image.reference)).toMatch(/docker-credential-absent.*can't be run/);
    writeFileSync(join(scratch, "config.json"), `{"auths": ${registryPassword}`);
    const refusal = await crictl.refused("pull", image.reference);
    expect(refusal).toMatch(/docker config .* is not JSON/);
    expect(refusal).not.toContain(registryPassword);
  });

  test("a helper that hangs ends with the pull that waited for it, with what it started", async () => {
    program("docker-credential-test", `sleep 1234567 & exec sleep 1234568`);
    dockerConfig({ credsStore: "test" });
    const pull = client.call("PullImage", { image: { image: image.reference } }, { timeoutMs: 1_000 });
    await expect(pull).rejects.toMatchObject({ code: 4 });
    await eventually("the helper to end", () =>
      listPids().every((pid) => !/^12345(67|68)$/.test(readCommandLine(pid)[1] ?? "")),
    );
  });

  test("a plugin of kubelet's is asked with its arguments and environment, and its answer kept by its key", async () => {
    const credentials = { auth: { [registry.host]: { username: registryUser, password: registryPassword } } };
    const given = JSON.stringify(answer({ ...credentials, cacheKeyType: "Registry", cacheDuration: "1h" }));
    program("plugin", `cat >>"$SCRATCH/requests"; echo " $*" >>"$SCRATCH/requests"\nprintf '%s' '${given}'`);
    const other = await pushImage(
      registry,
      "private/other",
      "1",
      buildImage({ layers: [await buildLayer([{ name: "b", body: "b" }])] }),
    );
    await crictl.run("pull", image.reference);
    await crictl.run("pull", other.reference);
    await client.call("RemoveImage", { image: { image: other.id } });
    const [request, ...more] = marked("requests").trim().split("\n");
    expect(more).toEqual([]);
    expect(request).toBe(
      `{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"${image.reference}"} --give`,
    );

    // A registry that refuses what is kept makes the next pull ask anew.
    await agent.stop();
    await agent.start();
    before = { ...before, own: { ...before.own, "open file": (await hostSnapshot(agent)).own["open file"] ?? [] } };
    await client.call("RemoveImage", { image: { image: image.id } });
    program("plugin", `printf '%s' '${given.replace(registryPassword, "stale")}'`);
    expect(await crictl.refused("pull", image.reference)).toMatch(/Unauthenticated/);
    program("plugin", `printf '%s' '${given}'`);
    await crictl.run("pull", image.reference);
    await agent.stop();
    await agent.start();
    before = { ...before, own: { ...before.own, "open file": (await hostSnapshot(agent)).own["open file"] ?? [] } };
  });

  test("a plugin that fails is told of", async () => {
    program("plugin", "exit 7");
    expect(await crictl.refused("pull", image.reference)).toMatch(
      /program of credential provider \\?"plugin\\?" failed with exit code 7/,
    );
  });

  test("an annotation's instance gives a login by a signed call, once for many pulls", async () => {
    const annotations = { "k8s.aliyun.com/acr-instance-ids": "cri-gone,cn-beijing:cri-far,cri-own" };
    const sandbox_config = { metadata: { name: "p", namespace: "n", uid: "u", attempt: 0 }, annotations };
    for (let round = 0; round < 2; round++) {
      await client.call("PullImage", { image: { image: image.reference }, sandbox_config });
      await client.call("RemoveImage", { image: { image: image.id } });
    }
    // Of an instance that there is not, nothing is kept.
    const gone = { action: "ListInstanceEndpoint", instanceId: "cri-gone", regionId: "cn-shanghai" };
    expect(acr.calls).toEqual([
      gone,
      { action: "ListInstanceEndpoint", instanceId: "cri-far", regionId: "cn-beijing" },
      { action: "ListInstanceEndpoint", instanceId: "cri-own", regionId: "cn-shanghai" },
      { action: "GetAuthorizationToken", instanceId: "cri-own", regionId: "cn-shanghai" },
      gone,
    ]);
    expect(acr.keysGiven).toBe(1);
  });

  test.each<[string, string, RegExp]>([
    ["is malformed", "cri-own;rm", /Invalid annotation k8s\.aliyun\.com\/acr-instance-ids/],
    [
      "names no instance of ours",
      "cri-none",
      /refused ListInstanceEndpoint for instance \\?"cri-none\\?": 404, INSTANCE_NOT_EXIST/,
    ],
  ])("an annotation that %s is told of", async (_name, value, reason) => {
    const annotations = { "k8s.aliyun.com/acr-instance-ids": value };
    const sandbox_config = { metadata: { name: "p", namespace: "n", uid: "u", attempt: 0 }, annotations };
    await expect(client.call("PullImage", { image: { image: image.reference }, sandbox_config })).rejects.toThrow(
      reason,
    );
  });

  test("acr-configuration gives logins to the pods it is for", async () => {
    const manifest = join(scratch, "manifests.d", "acr.yaml");
    mkdirSync(join(scratch, "manifests.d"), { recursive: true });
    writeFileSync(
      manifest,
      `apiVersion: v1
kind: ConfigMap
metadata: {name: acr-configuration, namespace: kube-system}
data:
  service-account: "*"
  watch-namespace: "team"
  acr-registry-info: |
    - instanceId: cri-own
      domains: ${registry.host}
`,
    );
    const pullFor = (namespace: string) =>
      client.call("PullImage", {
        image: { image: image.reference },
        sandbox_config: { metadata: { name: "p", namespace, uid: "u", attempt: 0 } },
      });
    await eventually("the manifest to be in force", async () => {
      try {
        return (await pullFor("team")).image_ref === image.id;
      } catch {
        return false;
      }
    });
    await client.call("RemoveImage", { image: { image: image.id } });
    await expect(pullFor("other")).rejects.toMatchObject({ code: 16 });
    rmSync(manifest);
  });
});
