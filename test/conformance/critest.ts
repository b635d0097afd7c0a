import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../support/command.ts";
import { toolsDirectory } from "../support/requirements.ts";

/** What one spec of critest came to. */
export interface SpecResult {
  /** Every heading above it and its own text, joined by blanks. */
  readonly name: string;
  readonly outcome: "passed" | "skipped" | "failed";
  /** Why it failed or was skipped, with its output for a failure. */
  readonly message: string;
  readonly durationMs: number;
}

export interface CritestRun {
  /** Path of the CRI socket. */
  readonly socket: string;
  /** Runtime handler of every pod. */
  readonly handler: string;
  /** Regular expression of the spec names to run. Default all. */
  readonly focus?: string;
  /** Names of the specs to leave out. */
  readonly leaveOut?: readonly string[];
  /** Further flags, such as "-websocket-exec". */
  readonly flags?: readonly string[];
  readonly timeoutMs: number;
}

interface GinkgoSpec {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeText: string;
  readonly LeafNodeType: string;
  readonly State: string;
  readonly RunTime: number;
  readonly Failure?: { readonly Message?: string; readonly Location?: { FileName: string; LineNumber: number } };
  readonly CapturedGinkgoWriterOutput?: string;
}

/** Names of all specs, without running any or asking a runtime. */
export async function listSpecs(): Promise<readonly string[]> {
  const results = await runGinkgo(["-ginkgo.dry-run"], 60_000);
  return results.map(({ name }) => name);
}

/** Runs critest against a CRI server. @returns the specs that were to run, in the order they ran */
export async function runCritest(run: CritestRun): Promise<readonly SpecResult[]> {
  const arguments_ = [
    `-runtime-endpoint=unix://${run.socket}`,
    `-image-endpoint=unix://${run.socket}`,
    `-runtime-handler=${run.handler}`,
    ...(run.focus === undefined ? [] : [`-ginkgo.focus=${run.focus}`]),
    // Ginkgo puts the suite's title before the name, so the expression can be tied to the end only.
    ...(run.leaveOut ?? []).map((name) => `-ginkgo.skip=${RegExp.escape(name)}$`),
    ...(run.flags ?? []),
  ];
  return runGinkgo(arguments_, run.timeoutMs);
}

async function runGinkgo(arguments_: readonly string[], timeoutMs: number): Promise<readonly SpecResult[]> {
  const directory = mkdtempSync(join(tmpdir(), "podling-critest-"));
  try {
    const temporary = join(directory, "tmp");
    mkdirSync(temporary);
    const report = join(directory, "report.json");
    const argv = [
      join(toolsDirectory, "critest"),
      "-ginkgo.no-color",
      `-ginkgo.json-report=${report}`,
      // It ends itself before it would be killed, and then still reports and cleans up.
      `-ginkgo.timeout=${Math.floor(timeoutMs * 0.9)}ms`,
      ...arguments_,
    ];
    const result = await runCommand(argv, { timeoutMs, cwd: directory, env: { TMPDIR: temporary } });
    try {
      return readReport(report);
    } catch (error) {
      const said = `${result.stdout.slice(-4000)}${result.stderr.slice(-4000)}`;
      throw new Error(`critest ended with ${result.exitCode} and without a report:\n${said}`, { cause: error });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readReport(path: string): readonly SpecResult[] {
  const suites = JSON.parse(readFileSync(path, "utf8")) as { readonly SpecReports: readonly GinkgoSpec[] }[];
  const specs = suites.flatMap((suite) => suite.SpecReports);
  const broken = specs.find(({ LeafNodeType, State }) => LeafNodeType !== "It" && State === "failed");
  if (broken !== undefined) throw new Error(`${broken.LeafNodeType} failed: ${failureOf(broken)}`);
  return specs.filter(({ LeafNodeType }) => LeafNodeType === "It").flatMap(resultOf);
}

function resultOf(spec: GinkgoSpec): readonly SpecResult[] {
  const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(" ");
  const result = { name, message: failureOf(spec), durationMs: Math.round(spec.RunTime / 1e6) };
  switch (spec.State) {
    case "passed":
      return [{ ...result, outcome: "passed" }];
    case "skipped":
      // A spec that the flags left out says nothing; one that skipped itself says why.
      return spec.Failure?.Message ? [{ ...result, outcome: "skipped", message: spec.Failure.Message }] : [];
    default:
      return [{ ...result, outcome: "failed" }];
  }
}

function failureOf({ State, Failure, CapturedGinkgoWriterOutput = "" }: GinkgoSpec): string {
  const at = Failure?.Location === undefined ? "" : ` (${Failure.Location.FileName}:${Failure.Location.LineNumber})`;
  return `${State}: ${Failure?.Message ?? ""}${at}\n${CapturedGinkgoWriterOutput.slice(-3000)}`;
}
