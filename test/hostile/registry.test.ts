import { afterAll, beforeAll, describe, test } from "vitest";
import { type RegistryCase, RegistryTrial } from "../images/registry-trial.ts";
import { authCases } from "./registry/auth.ts";
import { contentCases, rangeCases } from "./registry/contents.ts";
import { documentCases } from "./registry/documents.ts";
import { mirrorCases } from "./registry/mirrors.ts";
import { redirectCases } from "./registry/redirects.ts";
import { statusCases } from "./registry/statuses.ts";
import { transportCases } from "./registry/transport.ts";

const groups: Readonly<Record<string, readonly RegistryCase[]>> = {
  connection: transportCases,
  status: statusCases,
  range: rangeCases,
  content: contentCases,
  documents: documentCases,
  redirects: redirectCases,
  authentication: authCases,
  mirror: mirrorCases,
};

describe("a registry", () => {
  let trial: RegistryTrial;
  beforeAll(async () => {
    trial = await RegistryTrial.start();
  });
  afterAll(() => trial[Symbol.asyncDispose]());

  for (const [group, cases] of Object.entries(groups)) {
    describe(`by its ${group}`, () => {
      test.for(cases)("that $name", async (testCase, { skip }) => {
        skip(testCase.needsOutside === true && trial.scene.outside === undefined, "the machine has loopback alone");
        await trial.run(testCase);
      });
    });
  }
});
