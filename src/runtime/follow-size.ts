import { errorText, hasCode } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import type { TerminalSize, TerminalSizes } from "../common/process-streams.ts";

/**
 * Gives a terminal every size its client's gets. One call at a time, and sizes that are outdated by then are left out:
 * calls side by side could end with an earlier size.
 * @param made what the terminal was made with, if anything
 */
export function followSize(
  sizes: TerminalSizes,
  made: TerminalSize | undefined,
  resize: (size: TerminalSize) => Promise<void>,
  log: Log,
): void {
  let wanted = made;
  let applied = made;
  let applying = false;
  const apply = async () => {
    if (applying) return;
    applying = true;
    while (wanted !== undefined && wanted !== applied) {
      const next = wanted;
      try {
        await resize(next);
      } catch (error) {
        // It may come too late, when the process has just ended.
        if (!hasCode(error, "NotFound") && !hasCode(error, "Unavailable")) {
          log.debug({ error: errorText(error) }, "terminal could not be resized");
        }
      }
      applied = next;
    }
    applying = false;
  };
  const change = (size: TerminalSize) => {
    wanted = size;
    void apply();
  };
  sizes.onChange(change);
  if (sizes.latest !== undefined) change(sizes.latest);
}
