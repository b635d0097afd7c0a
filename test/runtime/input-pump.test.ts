import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeFifo, openFifoWriter } from "../../src/runtime/fifo.ts";
import { pumpInput } from "../../src/runtime/input-pump.ts";

describe("pumpInput()", () => {
  let directory = "";
  let path = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-input-"));
    path = join(directory, "stdin");
    makeFifo(path);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** A client that has said all it has to say already. */
  const saying = (text: string) => {
    const input = new PassThrough();
    input.end(text);
    return input;
  };
  /** Reads from the start: Node drops what nobody has asked for when the process ends. */
  const outputOf = async (program: string, ...args: readonly string[]) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(child, "close");
    return Buffer.concat(chunks).toString();
  };
  const never = new Promise<never>(() => undefined);

  test("loses nothing when the reader comes later than the writer", async () => {
    let refusals = 0;
    let read: Promise<string> | undefined;
    const open = () => {
      try {
        return openFifoWriter(path);
      } catch (error) {
        refusals++;
        // Only now is there somebody who reads.
        read ??= outputOf("cat", path);
        throw error;
      }
    };
    using pump = pumpInput(saying("all of it"), open, never);
    expect(await pump.ended).toBe("ended");
    expect(await read).toBe("all of it");
    expect(refusals).toBeGreaterThan(0);
  });

  test("drops what a process that has ended never read, and lets the client go on", async () => {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const input = saying("unheard");
    using pump = pumpInput(input, () => openFifoWriter(path), over);
    const drained = once(input, "end");
    resolve();
    expect(await pump.ended).toBe("unread");
    await drained;
  });

  test("takes a FIFO that is gone for a process that has ended", async () => {
    rmSync(path);
    using pump = pumpInput(saying("unheard"), () => openFifoWriter(path), never);
    expect(await pump.ended).toBe("unread");
  });

  test("stops waiting for a reader when it is disposed of", async () => {
    const pump = pumpInput(saying("unheard"), () => openFifoWriter(path), never);
    pump[Symbol.dispose]();
    expect(await pump.ended).toBe("unread");
  });
});
