import { LineCounter, parseAllDocuments } from "yaml";
import { AgentError } from "../common/errors.ts";

/** One Kubernetes object as an operator wrote it, with the way back to the line of each of its parts. */
export interface Manifest {
  /** "v1", "network.alibabacloud.com/v1beta1" */
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Empty for kinds that belong to no namespace. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The whole object. */
  readonly body: Readonly<Record<string, unknown>>;
  /** "file:line" of the part at the path, or of the nearest part around it that was written. */
  readonly where: (path: readonly PropertyKey[]) => string;
}

/** A `List`, as `kubectl get -o yaml` prints it, may hold this many objects. */
const maxItems = 10_000;

/**
 * Reads the objects of a file: YAML documents, or JSON, which is YAML; the items of a `List` one by one.
 * @throws AgentError InvalidArgument naming file and line
 */
export function parseManifests(file: string, text: string): readonly Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  // An empty file is an empty list of documents with a note of where it is empty.
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const lineAt = (offset: number) => `${file}:${lines.linePos(offset).line}`;
    const fault = document.errors[0];
    if (fault !== undefined) throw refused(lineAt(fault.pos[0]), fault.message);
    const where = (path: readonly PropertyKey[]): string => {
      for (let length = path.length; length >= 0; length--) {
        const node = document.getIn(path.slice(0, length), true) as { range?: readonly number[] } | undefined;
        if (node?.range?.[0] !== undefined) return lineAt(node.range[0]);
      }
      return lineAt(document.range[0]);
    };
    const value = toPlain(document, where);
    if (value === null || value === undefined) return [];
    return isObject(value) && value["kind"] === "List"
      ? itemsOf(value, where)
      : [readObject(value, (path) => where(path))];
  });
}

/** @throws AgentError InvalidArgument for aliases that unfold without end, or to nothing */
function toPlain(document: { toJS(options?: object): unknown }, where: Manifest["where"]): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw refused(where([]), "its aliases can't be resolved", error);
  }
}

function itemsOf(list: Readonly<Record<string, unknown>>, where: Manifest["where"]): readonly Manifest[] {
  const items = list["items"];
  if (!Array.isArray(items) || items.length > maxItems) {
    throw refused(where(["items"]), `Invalid items: must be a list of at most ${maxItems} objects`);
  }
  return items.map((item: unknown, index) => readObject(item, (path) => where(["items", index, ...path])));
}

function readObject(value: unknown, where: Manifest["where"]): Manifest {
  if (!isObject(value)) throw refused(where([]), "must be a Kubernetes object");
  const metadata = value["metadata"];
  if (!isObject(metadata)) throw refused(where(["metadata"]), "Missing metadata");
  return {
    apiVersion: readText(value, "apiVersion", [], where),
    kind: readText(value, "kind", [], where),
    name: readText(metadata, "name", ["metadata"], where),
    namespace: metadata["namespace"] === undefined ? "" : readText(metadata, "namespace", ["metadata"], where),
    labels: readLabels(metadata["labels"], where),
    body: value,
    where,
  };
}

function readText(
  object: Readonly<Record<string, unknown>>,
  key: string,
  parent: readonly string[],
  where: Manifest["where"],
): string {
  const value = object[key];
  if (typeof value === "string" && value !== "") return value;
  const path = [...parent, key];
  throw refused(where(path), `${value === undefined ? "Missing" : "Invalid"} ${path.join(".")}: must be text`);
}

function readLabels(labels: unknown, where: Manifest["where"]): Readonly<Record<string, string>> {
  if (labels === undefined || labels === null) return {};
  if (isObject(labels) && Object.values(labels).every((value) => typeof value === "string")) {
    return labels as Readonly<Record<string, string>>;
  }
  throw refused(
    where(["metadata", "labels"]),
    "Invalid metadata.labels: must be text by key; quote numbers and booleans",
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refused(place: string, message: string, cause?: unknown): AgentError {
  return new AgentError("InvalidArgument", `${place}: ${message}`, cause === undefined ? undefined : { cause });
}
