// Prints what a person looks for first in a vitest JSON report: each failed test with its message, and where the time went.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const slowestShown = 12;
const linesShown = { first: 6, last: 10 };
const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const fileOf = ({ name }) => relative(process.cwd(), name);

for (const file of testResults) {
  const failed = file.assertionResults.filter(({ status }) => status === "failed");
  for (const test of failed) {
    console.log(`FAILED ${fileOf(file)}: ${test.fullName}\n  ${ends(test.failureMessages[0] ?? "").join("\n  ")}`);
  }
  if (file.status === "failed" && failed.length === 0) console.log(`FAILED ${fileOf(file)}\n  ${file.message}`);
}

/** The lines a long message begins and ends with: what failed, and the last an agent's log tells. */
function ends(text) {
  const lines = text.split("\n").filter((line) => !/^ +at .*node_modules/.test(line));
  const { first, last } = linesShown;
  return lines.length <= first + last ? lines : [...lines.slice(0, first), "…", ...lines.slice(-last)];
}

const seconds = (file) => (file.endTime - file.startTime) / 1000;
const slowest = testResults.toSorted((one, other) => seconds(other) - seconds(one)).slice(0, slowestShown);
for (const file of slowest) console.log(`${seconds(file).toFixed(0).padStart(5)} s ${fileOf(file)}`);
