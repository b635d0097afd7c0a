import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentClient } from "../src/cli/agent-client.ts";
import { sizeText } from "../src/cli/output.ts";
import { pullWithProgress } from "../src/cli/pull-command.ts";
import { delay } from "../src/common/deadline.ts";
import { errorText } from "../src/common/errors.ts";
import { newId } from "../src/common/ids.ts";
import { lockFile } from "../src/system/file-lock.ts";
import { CriClient } from "../test/support/cri-client.ts";
import { agentLogTail, startAgent, writeConfig } from "./agent.ts";
import { expectNothingLeft, hasRemains, remains, removeEverything } from "./clean-up.ts";
import { imageName, place } from "./place.ts";
import { exitCodeOf, logLines, type Pod, probe, runPod, startContainer } from "./pod.ts";
import { endProcess, notedProcesses } from "./processes.ts";
import { buildAndPush, startRegistry } from "./registry.ts";
import { Screen } from "./screen.ts";

/** Where a failed demo's agent log goes, since the demo's own directory is removed. */
const failedLog = join(import.meta.dirname, "../.cache/demo-agent.log");

/** How long an interrupted step may take to come to its end before all is removed. */
const lastStepMs = 5_000;

const interrupt = new AbortController();
const screen = new Screen(interrupt.signal);
// An interrupted step may still run, a download of packages for one.
process.exit(await main());

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) return refuse("The demo makes network namespaces and mounts: run it as root");
  using _lock = takeLock();
  if (_lock === undefined) return refuse("Another demo runs right now: wait for its end");
  if (hasRemains()) {
    screen.line("Removing the demo that was kept or cut off earlier.");
    await removeEverything();
  }
  if (isSet("STOP")) return 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => interrupt.abort(new Error(`Interrupted by ${signal}`)));
  }
  const running = demonstrate(isSet("KEEP"));
  try {
    await untilAborted(running, interrupt.signal);
    return 0;
  } catch (error) {
    await Promise.race([running.catch(() => undefined), delay(lastStepMs)]);
    return fail(error);
  }
}

/** Waits for the work, or throws the signal's reason. */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([work, aborted]);
}

function isSet(name: string): boolean {
  return !["", "0", undefined].includes(process.env[name]);
}

function takeLock(): Disposable | undefined {
  try {
    return lockFile(place.lock);
  } catch {
    return undefined;
  }
}

function refuse(reason: string): number {
  process.stderr.write(`demo: ${reason}\n`);
  return 1;
}

async function fail(error: unknown): Promise<number> {
  const details = error instanceof Error && "details" in error ? String(error.details) : "";
  const reason = details === "" ? errorText(error) : details;
  process.stderr.write(`\ndemo: failed at or after the step "${screen.current}": ${reason}\n`);
  if (existsSync(place.agentLog)) {
    copyFileSync(place.agentLog, failedLog);
    process.stderr.write(`demo: the agent's last words, all of them in .cache/demo-agent.log:\n${agentLogTail()}\n`);
  }
  await removeEverything();
  process.stderr.write("demo: everything it had made is removed again\n");
  return 1;
}

async function demonstrate(keep: boolean): Promise<void> {
  mkdirSync(place.base, { recursive: true, mode: 0o700 });
  screen.heading("A registry with a real image");
  await prepareImage();
  screen.heading("An agent of its own", `instance ${place.name}, socket ${place.socket}`);
  const { pid } = await screen.step("agent", startAgent, (started) => `bin/podling serve, pid ${started.pid}`);
  screen.line(`bin/podling serve --config ${place.config}, pid ${pid}`);
  using client = new AgentClient(place.socket);
  using cri = new CriClient(place.socket);
  screen.heading("Pull", imageName);
  await screen.step(
    "pull",
    () => pullWithProgress(client, { reference: imageName }, process.stdout),
    ({ id, summary }) => `${id.slice(7, 20)}, ${summary.split(" in ")[0]}`,
  );
  const pod = await runShop(cri);
  if (keep) return tellWhatToTry(pod);
  await takeApart(cri, pod);
}

async function prepareImage(): Promise<void> {
  const host = await screen.step("registry", startRegistry, (address) => `docker-registry on ${address}`);
  screen.line(`docker-registry on ${host}`);
  screen.line("Building the image from Debian's packages (the first time takes a few minutes)");
  const { layers, sizeBytes } = await screen.step(
    "image",
    () => buildAndPush(host),
    (image) => `${image.layers} layers, ${sizeText(image.sizeBytes)}, built and pushed`,
  );
  screen.line(`${imageName}: ${layers} layers, ${sizeText(sizeBytes)} compressed`);
  await writeConfig(host);
}

async function runShop(cri: CriClient): Promise<Pod> {
  screen.heading("A pod of two containers");
  const pod = await screen.step(
    "pod",
    () => runPod(cri, newId()),
    ({ id }) => `shop, ${id.slice(0, 13)}`,
  );
  screen.line(`shop has ${pod.ipv4} and ${pod.ipv6}`);
  await screen.step(
    "web",
    () => startContainer(cri, pod, "web"),
    (id) => `nginx, ${id.slice(0, 13)}`,
  );
  const client = await screen.step(
    "client",
    () => startContainer(cri, pod, "client"),
    (id) => `wget, ${id.slice(0, 13)}`,
  );
  const exitCode = await screen.step(
    "client ends",
    () => exitCodeOf(cri, client),
    (code) => `exit code ${code}`,
  );
  for (const line of logLines(pod, "client")) screen.quote("client", line);
  if (exitCode !== 0) throw new Error(`The client could not fetch the page: it ended with ${exitCode}`);
  screen.heading("From the host");
  for (const address of [pod.ipv4, pod.ipv6]) {
    const bytes = await screen.step(
      "probe",
      () => probe(address),
      () => `http://${urlHost(address)}/`,
    );
    screen.line(`http://${urlHost(address)}/  200, ${bytes} bytes`);
  }
  for (const line of logLines(pod, "web").slice(-5)) screen.quote("web", line);
  screen.heading("What ran");
  screen.table(await whatRan(cri, pod));
  return pod;
}

async function whatRan(cri: CriClient, pod: Pod): Promise<ReadonlyArray<readonly string[]>> {
  const { containers } = await cri.call("ListContainers", { filter: { pod_sandbox_id: pod.id } });
  const rows = containers
    .toSorted(byCreation)
    .map(({ id, metadata, state, image }) => [
      metadata?.name ?? "",
      id.slice(0, 13),
      state.toString().replace("CONTAINER_", "").toLowerCase(),
      image?.user_specified_image || imageName,
    ]);
  return [["NAME", "ID", "STATE", "IMAGE"], ["shop", pod.id.slice(0, 13), "ready", "(the pod)"], ...rows];
}

function byCreation(a: { readonly created_at: string }, b: { readonly created_at: string }): number {
  return Number(BigInt(a.created_at) - BigInt(b.created_at));
}

/** Removes what ran through the agent alone, ends the agent and shows that nothing is left. */
async function takeApart(cri: CriClient, pod: Pod): Promise<void> {
  const before = await remains();
  await screen.step(
    "remove",
    () => removeShop(cri, pod),
    () => "containers, pod and image",
  );
  const { agent, registry } = notedProcesses();
  await screen.step(
    "stop",
    () => endWell(agent),
    () => "the agent, by SIGTERM",
  );
  await expectNothingLeft();
  if (registry !== undefined) await endProcess(registry, 5_000);
  screen.heading("What is left on the machine");
  const kinds = Object.entries(before).filter(([, names]) => names.length > 0);
  screen.table([["KIND", "RAN", "LEFT"], ...kinds.map(([kind, names]) => [kind, String(names.length), "0"])]);
  await removeEverything();
  screen.heading("How long it took");
  screen.steps();
}

async function removeShop(cri: CriClient, pod: Pod): Promise<void> {
  const { containers } = await cri.call("ListContainers", { filter: { pod_sandbox_id: pod.id } });
  for (const { id } of containers) {
    await cri.call("StopContainer", { container_id: id, timeout: 10 });
    await cri.call("RemoveContainer", { container_id: id });
  }
  await cri.call("StopPodSandbox", { pod_sandbox_id: pod.id });
  await cri.call("RemovePodSandbox", { pod_sandbox_id: pod.id });
  await cri.call("RemoveImage", { image: { image: imageName } });
}

async function endWell(agent: Parameters<typeof endProcess>[0] | undefined): Promise<void> {
  if (agent !== undefined && !(await endProcess(agent, 20_000))) throw new Error("The agent did not end within 20 s");
}

function tellWhatToTry(pod: Pod): void {
  screen.heading("How long it took");
  screen.steps();
  screen.heading("It keeps running. Try", "crictl comes with: make tools");
  const commands = [
    `export CONTAINER_RUNTIME_ENDPOINT=unix://${place.socket} PODLING_ADDRESS=${place.socket}`,
    `curl http://${pod.ipv4}/`,
    "bin/podling pods",
    "tools/bin/crictl pods",
    "tools/bin/crictl ps -a",
    `tools/bin/crictl inspectp ${pod.id.slice(0, 13)}`,
    "tools/bin/crictl logs $(tools/bin/crictl ps -q --name web)",
    "tools/bin/crictl exec -s $(tools/bin/crictl ps -q --name web) ls /var/www",
  ];
  for (const command of commands) screen.line(command);
  screen.heading("To end it", "a later make demo does that first, too");
  screen.line("make demo STOP=1");
}

function urlHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
