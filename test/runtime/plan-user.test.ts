import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UserRequest } from "../../src/runtime/container-settings.ts";
import { parseGroup, parsePasswd } from "../../src/runtime/passwd.ts";
import { planUser } from "../../src/runtime/plan-user.ts";

const passwd = [
  "# accounts",
  "root:x:0:0:root:/root:/bin/sh",
  "app:x:1000:1001:App:/home/app:/bin/sh",
  "4294967296:x:0:0::/:/bin/sh",
  "bad:x:zero:0::/:/bin/sh",
  "huge:x:4294967295:0::/:/bin/sh",
  "negative:x:-1:0::/:/bin/sh",
  "7d:x:70:71::/:/bin/sh",
  "short:x",
].join("\n");
const group = "root:x:0:\nwheel:x:10:root,app\nstaff:x:50:app\napp:x:1001:\nbad:x:x:app\n";
const accounts = { passwd: () => parsePasswd(passwd), group: () => parseGroup(group) };
const request = (changes: Partial<UserRequest> = {}): UserRequest => ({
  supplementalGroups: [],
  supplementalGroupsPolicy: "merge",
  ...changes,
});

describe("planUser() resolves", () => {
  test.each<[Partial<UserRequest>, string, readonly [number, number, readonly number[]]]>([
    [{}, "", [0, 0, [0, 10]]],
    [{}, "app", [1000, 1001, [10, 50, 1001]]],
    [{}, "1000", [1000, 1001, [10, 50, 1001]]],
    [{}, "app:staff", [1000, 50, [10, 50]]],
    [{}, "app:7", [1000, 7, [7, 10, 50]]],
    [{}, "app:", [1000, 1001, [10, 50, 1001]]],
    [{}, ":staff", [0, 50, [10, 50]]],
    [{}, "4000", [4000, 0, [0]]],
    [{}, "4000:4001", [4000, 4001, [4001]]],
    [{}, "7d", [70, 71, [71]]],
    [{}, "007", [7, 0, [0]]],
    [{ uid: 0 }, "app", [0, 0, [0, 10]]],
    [{ uid: 1000, gid: 5 }, "", [1000, 5, [5, 10, 50]]],
    [{ username: "app" }, "root", [1000, 1001, [10, 50, 1001]]],
    [{ username: "app", uid: 0, gid: 3 }, "", [1000, 3, [3, 10, 50]]],
    [{ supplementalGroups: [9, 50, 9, 2] }, "app", [1000, 1001, [2, 9, 10, 50, 1001]]],
    [{ supplementalGroups: [9], supplementalGroupsPolicy: "strict" }, "app", [1000, 1001, [9, 1001]]],
    [{}, "2147483647", [2147483647, 0, [0]]],
  ])("%j in an image of USER %j", (changes, imageUser, [uid, gid, supplementalGroups]) => {
    expect(planUser(request(changes), imageUser, accounts)).toEqual({ uid, gid, supplementalGroups });
  });
});

describe("planUser() refuses", () => {
  test.each<[Partial<UserRequest>, string, string]>([
    [{}, "4294967296", 'Invalid USER of the image "4294967296": must be a number from 0 to 2147483647'],
    [{}, "2147483648", "Invalid USER of the image"],
    [{}, "99999999999999999999", "Invalid USER of the image"],
    [{}, "-1", "Invalid USER of the image"],
    [{}, "+1", "Invalid USER of the image"],
    [{}, "0x0", "Invalid USER of the image"],
    [{}, "1000 ", "Invalid USER of the image"],
    [{}, "a b", "Invalid USER of the image"],
    [{}, "app:4294967296", "Invalid group in USER of the image"],
    [{}, "app:nobody", 'Invalid group in USER of the image "nobody"'],
    [{}, "a:b:c", 'must be "user" or "user:group"'],
    [{}, "nobody", "must be a user of the image's /etc/passwd, or a number"],
    [{}, "bad", "must be a user of the image's /etc/passwd"],
    [{}, "huge", "must be a user of the image's /etc/passwd"],
    [{}, "negative", "must be a user of the image's /etc/passwd"],
    [{ username: "root:0" }, "", "Invalid run_as_username"],
    [{ gid: 5 }, "app", "Invalid run_as_group 5: must come with run_as_user or run_as_username"],
    [{ uid: -1 }, "", 'Invalid run_as_user "-1"'],
    [{ uid: 2 ** 31 }, "", "Invalid run_as_user"],
    [{ uid: 1.5 }, "", "Invalid run_as_user"],
    [{ supplementalGroups: [1, -4] }, "", "Invalid supplemental_groups[1] -4"],
  ])("%j in an image of USER %j", (changes, imageUser, message) => {
    expect(() => planUser(request(changes), imageUser, accounts)).toThrow(message);
  });

  test("more groups than the kernel takes", () => {
    const lines = Array.from({ length: 65_537 }, (_, gid) => `g${gid}:x:${gid}:root`).join("\n");
    const many = { passwd: accounts.passwd, group: () => parseGroup(lines) };
    expect(() => planUser(request(), "", many)).toThrow("the kernel takes at most 65536");
  });
});

test("no text of an image makes anybody root who didn't ask for uid 0 or an account of it", () => {
  const text = fc.string({ unit: fc.constantFrom("0", "1", "9", "-", "+", "x", " ", ":", "a", "\n", "e", ".") });
  fc.assert(
    fc.property(text, text, (user, file) => {
      const resolved = (() => {
        try {
          const files = { passwd: () => parsePasswd(file), group: () => parseGroup(file) };
          return planUser(request(), user, files);
        } catch {
          return undefined;
        }
      })();
      if (resolved?.uid !== 0) return;
      const name = user.split(":")[0] ?? "";
      const isRootAccount = parsePasswd(file).some((entry) => entry.name === name && entry.uid === 0);
      expect(name === "" || /^0+$/.test(name) || isRootAccount).toBe(true);
    }),
  );
});
