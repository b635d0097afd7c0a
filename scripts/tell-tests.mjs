// Prints what a person looks for first in a vitest JSON report: each failed test with its first line, and where the time went.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const slowestShown = 12;
const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const fileOf = ({ name }) => relative(process.cwd(), name);

for (const file of testResults) {
  const failed = file.assertionResults.filter(({ status }) => status === "failed");
  for (const test of failed) {
    console.log(`FAILED ${fileOf(file)}: ${test.fullName}\n  ${(test.failureMessages[0] ?? "").split("\n").slice(0, 6).join("\n  ")}`);
  }
  if (file.status === "failed" && failed.length === 0) console.log(`FAILED ${fileOf(file)}\n  ${file.message}`);
}

const seconds = (file) => (file.endTime - file.startTime) / 1000;
const slowest = testResults.toSorted((one, other) => seconds(other) - seconds(one)).slice(0, slowestShown);
for (const file of slowest) console.log(`${seconds(file).toFixed(0).padStart(5)} s ${fileOf(file)}`);
