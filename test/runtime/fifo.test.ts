import { spawn } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { ContainerIo } from "../../src/runtime/container-io.ts";
import { FifoReader, makeFifo, openFifoWriter } from "../../src/runtime/fifo.ts";

describe("FifoReader", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-fifo-"));
    path = join(directory, "f");
    makeFifo(path);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const openWriter = () => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);

  test("hands over everything that was written, then ends", async () => {
    using reader = new FifoReader(path);
    const writer = openWriter();
    writeSync(writer, "before ");
    const chunks: string[] = [];
    reader.start((chunk) => chunks.push(chunk.toString()) > 0);
    writeSync(writer, "after");
    closeSync(writer);
    await reader.ended;
    expect(chunks.join("")).toBe("before after");
  });

  test("ends at once when nobody writes, as after a restart", async () => {
    using reader = new FifoReader(path);
    reader.start(() => true);
    await reader.ended;
  });

  test("waits for a writer that is there but silent", async () => {
    using reader = new FifoReader(path);
    const writer = openWriter();
    const got = Promise.withResolvers<string>();
    reader.start((chunk) => {
      got.resolve(chunk.toString());
      return true;
    });
    setTimeout(() => writeSync(writer, "late"), 20);
    expect(await got.promise).toBe("late");
    closeSync(writer);
    await reader.ended;
  });

  test("stops while its sink asks for it, and loses nothing", async () => {
    using reader = new FifoReader(path);
    const child = spawn("sh", ["-c", `head -c 3000000 /dev/zero > ${path}`]);
    let bytes = 0;
    let paused = false;
    // The shell opens the FIFO when it gets to it; until then it would read as ended.
    const keeper = openWriter();
    reader.start((chunk) => {
      expect(paused).toBe(false);
      bytes += chunk.length;
      paused = true;
      setTimeout(() => {
        paused = false;
        reader.resume();
      }, 1);
      return false;
    });
    await new Promise((resolve) => child.on("exit", resolve));
    closeSync(keeper);
    await reader.ended;
    expect(bytes).toBe(3_000_000);
  });

  test("ends when it is disposed, started or not, and more than once", async () => {
    const writer = openWriterAfter(() => new FifoReader(path));
    writer.reader[Symbol.dispose]();
    writer.reader[Symbol.dispose]();
    await writer.reader.ended;
    writer.reader.start(() => true);
    closeSync(writer.fd);
    const started = openWriterAfter(() => new FifoReader(path));
    started.reader.start(() => true);
    started.reader[Symbol.dispose]();
    await started.reader.ended;
    closeSync(started.fd);
  });

  function openWriterAfter(open: () => FifoReader) {
    const reader = open();
    return { reader, fd: openWriter() };
  }

  test("with a writer of its own does not end between two writers", async () => {
    using reader = new FifoReader(path, { alsoWriter: true });
    let text = "";
    reader.start((chunk) => {
      text += chunk.toString();
      return true;
    });
    for (const word of ["one ", "two "]) {
      const writer = openWriter();
      writeSync(writer, word);
      closeSync(writer);
    }
    while (text !== "one two ") await new Promise(setImmediate);
  });

  test("refuses what is no FIFO, a link to one, and a missing one", () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    const link = join(directory, "link");
    symlinkSync(path, link);
    expect(() => new FifoReader(file)).toThrow(/another kind of file/);
    expect(() => new FifoReader(link)).toThrow(expect.objectContaining({ errno: "ELOOP" }));
    expect(() => new FifoReader(join(directory, "none"))).toThrow(expect.objectContaining({ errno: "ENOENT" }));
  });

  test("openFifoWriter() refuses while nobody reads", () => {
    expect(() => openFifoWriter(path)).toThrow(expect.objectContaining({ errno: "ENXIO" }));
  });
});

describe("ContainerIo", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-io-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const options = () => ({
    directory: join(directory, "stdio"),
    terminal: false,
    stdin: false,
    logPath: join(directory, "0.log"),
    log: createLog("silent"),
  });
  const writerOf = (path: string) => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const contents = () => readFileSync(options().logPath, "utf8").replaceAll(/^\S+ /gm, "");

  test("close() in the middle of a line lets the next agent go on with it", async () => {
    const io = await ContainerIo.create(options());
    const stdout = writerOf(io.paths.stdout);
    const stderr = writerOf(io.paths.stderr);
    io.start();
    writeSync(stdout, "one\nhal");
    while (!contents().includes("one")) await new Promise(setImmediate);
    await io.close();
    await io.close();
    // As the shim does, the test has both ends.
    const again = await ContainerIo.reopen(options());
    writeSync(stdout, "f\n");
    again.start();
    closeSync(stdout);
    closeSync(stderr);
    await again.drained;
    expect(contents()).toBe("stdout F one\nstdout P hal\nstdout F f\n");
    await again.remove();
    await again.remove();
  });

  test("reopen() without FIFOs is drained at once", async () => {
    const io = await ContainerIo.reopen(options());
    io.start();
    await io.drained;
    await io.remove();
    expect(contents()).toBe("");
  });

  test("create() that can't open the log leaves no descriptor open", async () => {
    const bad = { ...options(), logPath: "/proc/no/such.log" };
    await expect(ContainerIo.create(bad)).rejects.toMatchObject({ code: "SystemFailure" });
    expect(() => writerOf(join(bad.directory, "stdout"))).toThrow(expect.objectContaining({ code: "ENXIO" }));
  });
});
