// A file system whose unmounting takes as long as it is told: node slow-unmount.child.ts TARGET BLOCK_DEVICE DELAY_MS
// The kernel waits for the answer to FUSE_DESTROY when the file system is on a block device (linux/fuse.h).
import { openSync, readSync, writeSync } from "node:fs";
import { mount } from "../../src/system/mount.ts";

const [target = "", device = "", delayMs = "0"] = process.argv.slice(2);
const opcode = { forget: 2, getattr: 3, statfs: 17, init: 26, interrupt: 36, destroy: 38, batchForget: 42 };
const unanswered = [opcode.forget, opcode.interrupt, opcode.batchForget];
const ENOSYS = 38;

const fd = openSync("/dev/fuse", "r+");
mount(device, target, "fuseblk", 0, `fd=${fd},rootmode=40000,user_id=0,group_id=0,blksize=4096`);
process.stdout.write("mounted\n");

const request = Buffer.alloc(1 << 20);
for (;;) {
  try {
    readSync(fd, request);
  } catch (error) {
    // What ENODEV says is that the file system has gone.
    if (error instanceof Error && "code" in error && error.code === "ENODEV") break;
    throw error;
  }
  const kind = request.readUInt32LE(4);
  if (unanswered.includes(kind)) continue;
  if (kind === opcode.destroy) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(delayMs));
  const body = answerTo(kind);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + (body?.length ?? 0), 0);
  header.writeInt32LE(body === undefined ? -ENOSYS : 0, 4);
  request.copy(header, 8, 8, 16);
  writeSync(fd, Buffer.concat([header, body ?? Buffer.alloc(0)]));
  if (kind === opcode.destroy) break;
}

function answerTo(kind: number): Buffer | undefined {
  switch (kind) {
    case opcode.init: {
      const out = Buffer.alloc(64);
      out.writeUInt32LE(7, 0);
      out.writeUInt32LE(31, 4);
      out.writeUInt32LE(4096, 20);
      return out;
    }
    case opcode.getattr: {
      const out = Buffer.alloc(104);
      out.writeBigUInt64LE(1n, 16);
      out.writeUInt32LE(0o040755, 76);
      out.writeUInt32LE(2, 80);
      return out;
    }
    case opcode.statfs:
      return Buffer.alloc(80);
    case opcode.destroy:
      return Buffer.alloc(0);
    default:
      return undefined;
  }
}
