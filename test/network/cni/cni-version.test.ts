import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cniVersions, hasSince, knownVersions, negotiateVersion } from "../../../src/network/cni/cni-version.ts";

const versions = fc.subarray([...cniVersions]);

describe("negotiateVersion()", () => {
  test("takes the highest version that the configuration offers and every plugin speaks, or names who speaks what", () => {
    fc.assert(
      fc.property(
        fc.subarray([...cniVersions], { minLength: 1 }),
        fc.array(versions, { maxLength: 4 }),
        (offered, spoken) => {
          const plugins = new Map(spoken.map((list, index) => [`p${index}`, list]));
          const common = offered.filter((version) => spoken.every((list) => list.includes(version)));
          if (common.length > 0) {
            expect(negotiateVersion(offered, plugins)).toBe(common.at(-1));
            return;
          }
          expect(() => negotiateVersion(offered, plugins)).toThrow(/plugin "p0" speaks/);
        },
      ),
    );
  });

  test("ignores what only plugins speak, and versions nobody here knows", () => {
    expect(negotiateVersion(["0.4.0"], new Map([["a", ["0.1.0", "0.4.0", "1.0.0", "9.0.0"]]]))).toBe("0.4.0");
    expect(knownVersions(["9.0.0", "1.0.0", "0.2.0", "0.3.1"])).toEqual(["0.3.1", "1.0.0"]);
  });

  test("hasSince() follows the order of versions", () => {
    expect(cniVersions.map((version) => hasSince(version, "1.0.0"))).toEqual([false, false, true, true]);
  });
});
