import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Inflater } from "../src/images/inflate.ts";
import { isIsalUsable } from "../src/system/isal.ts";
import { median, pairedRatio } from "./statistics.ts";

/** Compares the two decoders of gzip layers, each in this process, without registry and tar: `make bench-inflate`. */

const rounds = Number(process.env["ROUNDS"] ?? 9);
const pieceBytes = 65_536;

if (!isIsalUsable()) {
  process.stderr.write("bench: libisal2 is not installed\n");
  process.exit(2);
}

// Programs and their libraries are what images are made of: this one is of the mixture.
const program = readFileSync(process.execPath);
const blob = gzipSync(program);
const wanted = sha256(program);

interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Inflates the blob as a layer worker does, and drops what comes out. */
async function inflate(usesIsal: boolean, check = false): Promise<Sample> {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const inflater = new Inflater("gzip", usesIsal);
  const hash = createHash("sha256");
  const reading = (async () => {
    for await (const piece of inflater.output()) if (check) hash.update(piece);
  })();
  for (let at = 0; at < blob.length; at += pieceBytes) await inflater.write(blob.subarray(at, at + pieceBytes));
  inflater.end();
  await reading;
  if (check && hash.digest("hex") !== wanted) throw new Error("What came out is not what went in");
  const { user, system } = process.cpuUsage(cpuBefore);
  return { seconds: (performance.now() - startedMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const samples = { isal: [] as Sample[], zlib: [] as Sample[] };
for (const usesIsal of [true, false]) await inflate(usesIsal, true);
for (let round = 0; round < rounds; round++) {
  const order = round % 2 === 0 ? (["isal", "zlib"] as const) : (["zlib", "isal"] as const);
  for (const name of order) samples[name].push(await inflate(name === "isal"));
}

const rate = (seconds: number) => `${Math.round(program.length / 1e6 / seconds)} MB/s`;
process.stdout.write(
  `${Math.round(program.length / 1e6)} MB out of ${Math.round(blob.length / 1e6)} MB, ${rounds} rounds\n`,
);
for (const [name, key] of [
  ["time", "seconds"],
  ["processor time", "cpuSeconds"],
] as const) {
  const [isal, zlib] = [samples.isal.map((sample) => sample[key]), samples.zlib.map((sample) => sample[key])];
  const { median: middle, low, high } = pairedRatio(isal, zlib);
  const shown = [middle, low, high].map((value) => value.toFixed(2));
  process.stdout.write(
    `${name}: ISA-L ${rate(median(isal))}, zlib ${rate(median(zlib))}, ratio ${shown[0]} (${shown[1]}–${shown[2]})\n`,
  );
}
