import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snapshotForms } from "../../src/images/snapshot-form.ts";
import { cannotRun } from "../support/requirements.ts";
import { hostileImages } from "./hostile-images.ts";
import { ImageTrial } from "./image-trial.ts";

test("every hostile image has a name of its own", () => {
  const names = Object.values(hostileImages).flatMap((images) => images.map(({ name }) => name));
  expect(names.length).toBeGreaterThan(300);
  expect(new Set(names).size).toBe(names.length);
});

describe.skipIf(cannotRun()).each(snapshotForms)("with %s, an image", (snapshotter) => {
  let trial: ImageTrial;
  beforeAll(async () => {
    trial = await ImageTrial.start(snapshotter);
  });
  afterAll(() => trial[Symbol.asyncDispose]());

  for (const [group, images] of Object.entries(hostileImages)) {
    describe(`by its ${group}:`, () => {
      test.each(images)("$name", (image) => trial.run(image));
    });
  }
});
