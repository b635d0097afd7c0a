import { join } from "node:path";

/** The demo's agent and all it owns on the machine. Only root may write to the directories above these. */
const base = "/var/lib/podling-demo";

export const place = {
  name: "demo",
  base,
  root: join(base, "root"),
  state: "/run/podling-demo",
  socket: "/run/podling-demo/podling.sock",
  config: join(base, "config.toml"),
  certs: join(base, "certs.d"),
  registry: join(base, "registry"),
  podLogs: join(base, "pod-logs"),
  agentLog: join(base, "agent.log"),
  registryLog: join(base, "registry.log"),
  /** Written before the first process is started: a later run finds here what to end. */
  processes: join(base, "processes.json"),
  /** Held by a running demo; apart from the base, which goes when the demo ends. */
  lock: "/run/podling-demo.lock",
} as const;

/** The image's name; certs.d says that the registry on loopback answers for this host. */
export const registryName = "registry.demo";
export const imageName = `${registryName}/web-application:1`;
