/**
 * A name or path whose every character is one byte (latin1). Names in images are bytes, not text: decoding them as UTF-8
 * would merge different names, and a string of bytes is still a map key and cheap to cut.
 */
export type BytePath = string;

/** A byte path for a message: as UTF-8 where it is, quoted, control characters escaped, cut to a length one can read. */
export function quotePath(path: BytePath): string {
  const cut = path.length > 200 ? `${path.slice(0, 200)}...` : path;
  return JSON.stringify(Buffer.from(cut, "latin1").toString("utf8"));
}

/** `a/b` and `c` make `a/b/c`; the root is "". */
export function joinPath(directory: BytePath, name: BytePath): BytePath {
  return directory === "" ? name : `${directory}/${name}`;
}

/** The directory of a clean relative path; "" for a name right below the root. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The last component of a clean relative path. */
export function nameOf(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether a clean path is the directory or lies below it; "" holds everything. */
export function isWithin(directory: BytePath, path: BytePath): boolean {
  if (directory === "" || path === directory) return true;
  // "/root2" starts with "/root", too: the separator decides.
  return path.length > directory.length && path[directory.length] === "/" && path.startsWith(directory);
}

/** The directories above a clean path, outermost first: "" then "a" then "a/b" for "a/b/c". */
export function ancestorsOf(path: BytePath): BytePath[] {
  if (path === "") return [];
  const found: BytePath[] = [""];
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    found.push(path.slice(0, slash));
  }
  return found;
}
