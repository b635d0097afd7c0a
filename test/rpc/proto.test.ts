import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { protoFolder } from "../../src/common/load-proto.ts";

/** Lies beside a working copy, not in it; a clean clone has only the golden list. */
const contracts = join(import.meta.dirname, "../../../shared/contracts");
const hasContracts = existsSync(contracts);
const golden = join(import.meta.dirname, "../fixtures/contracts.txt");

/** protobufjs has these built in, so we have no file of them. */
const builtIn = /^google\.protobuf\./;

const rendered = {
  "cri-runtime-v1.json": "runtime/**/*.proto",
  "containerd-shim.json": "{containerd,ttrpc,google}/**/*.proto",
};

/** One line for each name on the wire with its number and type, or what an RPC takes and gives. */
function wireNames(root: protobuf.Root): readonly string[] {
  const lines: string[] = [];
  visit(root, lines);
  return lines.filter((line) => !builtIn.test(line)).sort();
}

function visit(namespace: protobuf.NamespaceBase, lines: string[]): void {
  for (const child of namespace.nestedArray) {
    const name = child.fullName.slice(1);
    if (child instanceof protobuf.Type) {
      lines.push(`${name} message`);
      for (const field of child.fieldsArray) lines.push(`${name}.${fieldLine(field)}`);
    }
    if (child instanceof protobuf.Enum) {
      for (const [value, number] of Object.entries(child.values)) lines.push(`${name}.${value} = ${number}`);
    }
    if (child instanceof protobuf.Service) {
      for (const method of child.methodsArray) lines.push(`${name}.${methodLine(method)}`);
    }
    if (child instanceof protobuf.Namespace) visit(child, lines);
  }
}

function fieldLine(field: protobuf.Field): string {
  const type = (field.resolvedType?.fullName ?? `.${field.type}`).slice(1);
  const map = field instanceof protobuf.MapField ? `map ${field.keyType} ` : "";
  const deprecated = field.getOption("deprecated") === true ? " deprecated" : "";
  return `${field.name} = ${field.id} ${field.repeated ? "repeated " : ""}${map}${type}${deprecated}`;
}

function methodLine(method: protobuf.Method): string {
  const side = (type: protobuf.Type | null, stream: boolean | undefined) =>
    `${stream ? "stream " : ""}${type?.fullName.slice(1)}`;
  return `${method.name} (${side(method.resolvedRequestType, method.requestStream)}) ${side(method.resolvedResponseType, method.responseStream)}`;
}

function parsed(pattern: string): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(protoFolder, target);
  root.loadSync(globSync(pattern, { cwd: protoFolder }), { keepCase: true });
  root.resolveAll();
  return root;
}

function described(file: string): protobuf.Root {
  const root = protobuf.Root.fromJSON(JSON.parse(readFileSync(join(contracts, file), "utf8")));
  root.resolveAll();
  return root;
}

describe("proto/", () => {
  test.for(Object.entries(rendered))("has every RPC, field and number of %s", ([file, pattern], { skip }) => {
    skip(!hasContracts, "the contracts folder does not lie beside this clone; the golden list stands in for it");
    expect(wireNames(parsed(pattern))).toEqual(wireNames(described(file)));
  });

  test("has not changed a name, number or type on the wire", async () => {
    const names = Object.values(rendered).flatMap((pattern) => wireNames(parsed(pattern)));
    await expect(`${names.join("\n")}\n`).toMatchFileSnapshot(golden);
  });

  test("has no type that another file of ours has too", () => {
    expect(() => parsed("**/*.proto")).not.toThrow();
  });
});
