/**
 * Named places where the crash tests end the agent with SIGKILL, as a power cut for processes would.
 * `PODLING_FAILPOINT=run.netns-created` kills at the first pass, `run.netns-created:3` at the third.
 * Without the variable a pass costs one comparison.
 */
const [wanted, nth] = (process.env["PODLING_FAILPOINT"] ?? "").split(":");
let passesLeft = Number(nth ?? "1");

/** @param name `operation.step`, unique in the tree; test/faults lists every one */
export function failpoint(name: string): void {
  if (wanted !== name) return;
  passesLeft--;
  if (passesLeft <= 0) process.kill(process.pid, "SIGKILL");
}
