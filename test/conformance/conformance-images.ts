import { readFileSync, realpathSync } from "node:fs";
import { output } from "../support/command.ts";
import { packageTars, resolvePackages } from "../support/debian-package.ts";
import { buildImage, buildLayer, hostArchitecture, type ImageProcess, type Layer } from "../support/oci-image.ts";
import { pushImage } from "../support/push-image.ts";
import type { Registry } from "../support/registry.ts";
import { joinTars, type TarEntry, writeTar } from "../support/tar-writer.ts";

/** The registries critest names in its images. A mirror has to answer for each. */
export const conformanceRegistries = ["registry.k8s.io", "k8s.gcr.io", "gcr.io", "public.ecr.aws"] as const;

interface ImageRecipe {
  /** Without the registry's host name. */
  readonly repository: string;
  readonly tags: readonly string[];
  readonly layers: readonly Layer[];
  readonly config: ImageProcess;
}

/** Builds every image critest 1.36 asks for from Debian's packages and pushes them under critest's own names. */
export async function pushConformanceImages(registry: Registry): Promise<void> {
  for (const { repository, tags, layers, config } of await recipes()) {
    const image = buildImage({ layers, config: { Env: [path], ...config } });
    for (const tag of tags) await pushImage(registry, repository, tag, image);
  }
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const shell: ImageProcess = { Cmd: ["sh"] };

async function recipes(): Promise<readonly ImageRecipe[]> {
  const base = await baseLayer();
  const staging = (name: string, config: ImageProcess, tags: readonly string[] = ["latest"]) =>
    marked(base, `k8s-staging-cri-tools/${name}`, tags, config);
  const images = [
    { repository: "e2e-test-images/busybox", tags: ["1.29-2"], layers: [base], config: shell },
    {
      repository: "e2e-test-images/nginx",
      tags: ["1.14-2"],
      layers: [base, await nginxLayer(80)],
      config: { Cmd: ["nginx"] },
    },
    {
      repository: `k8s-staging-cri-tools/hostnet-nginx-${hostArchitecture}`,
      tags: ["latest"],
      layers: [base, await nginxLayer(12003)],
      config: { Cmd: ["nginx"] },
    },
    {
      repository: "e2e-test-images/httpd",
      tags: ["2.4.39-4"],
      layers: [base, await lighttpdLayer()],
      config: { Cmd: ["lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"] },
    },
    {
      repository: "e2e-test-images/nonewprivs",
      tags: ["1.3"],
      layers: [base, await buildLayer(await hostPrograms(["/usr/bin/id"], { as: effectiveId, mode: 0o4755 }))],
      config: { Cmd: ["sh", "-c", `echo "Effective uid: $(/${effectiveId} -u)"`] },
    },
    {
      repository: "pause",
      tags: ["3.9"],
      layers: [await buildLayer(await hostPrograms([await locate("catatonit")], { as: "pause", mode: 0o755 }))],
      config: { Entrypoint: ["/pause", "-P"] },
    },
    ...["1", "2", "3"].map((number) => staging(`test-image-${number}`, shell)),
    staging("test-image-tags", shell, ["1", "2", "3"]),
    staging("test-image-latest", shell),
    staging("test-image-tag", shell, ["test", "all"]),
    staging("test-image-user-uid", { ...shell, User: "1002" }),
    staging("test-image-user-username", { ...shell, User: "www-data" }),
    staging("test-image-user-uid-group", { ...shell, User: "1003:1004" }),
    staging("test-image-user-username-group", { ...shell, User: "www-data:1004" }),
    staging("test-image-predefined-group", { ...shell, User: "1000" }),
  ];
  return Promise.all(images);
}

/** The base with one more file, so that the image is one of its own. */
async function marked(
  base: Layer,
  repository: string,
  tags: readonly string[],
  config: ImageProcess,
): Promise<ImageRecipe> {
  const layers = [base, await buildLayer([{ name: "image-name", body: `${repository}\n` }])];
  return { repository, tags, layers, config };
}

const passwd = [
  "root:x:0:0:root:/root:/bin/sh",
  "www-data:x:33:33:www-data:/var/www:/bin/sh",
  "default-user:x:1000:1000::/home/default-user:/bin/sh",
  "nobody:x:65534:65534:nobody:/:/bin/false",
  "",
].join("\n");
const group = [
  "root:x:0:",
  "www-data:x:33:",
  "default-user:x:1000:",
  "group-defined-in-image:x:50000:default-user",
  "nogroup:x:65534:",
  "",
].join("\n");

/**
 * Debian's dynamic busybox, a file for each applet, and pgrep and ipcs, which it lacks. Its shell runs `ls` as a program
 * (busybox-static's runs it inside itself), without which a masked /bin/ls would not be noticed.
 */
async function baseLayer(): Promise<Layer> {
  const applets = (await output(["busybox", "--list"])).split("\n").filter((name) => name !== "" && name !== "busybox");
  const directories = [
    "dev",
    "etc",
    "home",
    "home/default-user",
    "proc",
    "root",
    "run",
    "sys",
    "usr",
    "usr/bin",
    "var",
  ];
  const entries: TarEntry[] = [
    ...[...directories, "lib", "lib64"].map((name) => directory(name)),
    directory("tmp", 0o1777),
    { name: "var/run", type: "symlink", target: "../run" },
    // Not symbolic links: masking one of those would mask the shell with it.
    ...applets.map((name): TarEntry => ({ name: `bin/${name}`, type: "hardlink", target: "bin/busybox" })),
    { name: "etc/passwd", body: passwd },
    { name: "etc/group", body: group },
    ...(await hostPrograms(["/usr/bin/pgrep", "/usr/bin/ipcs"])),
    await libraryBeside("libc.so.6", "libresolv.so.2"),
  ];
  return packageLayer(["busybox"], entries);
}

const effectiveId = "usr/local/bin/effective-id";

/** Programs of this machine with the shared libraries they name, at their own paths or one at another. */
async function hostPrograms(
  paths: readonly string[],
  program?: { readonly as: string; readonly mode: number },
): Promise<readonly TarEntry[]> {
  const libraries = (await Promise.all(paths.map(sharedLibraries))).flat();
  return [
    ...[...new Set(libraries)].map(
      (path): TarEntry => ({ name: path.slice(1), mode: 0o755, body: readFileSync(path) }),
    ),
    ...paths.map(
      (path): TarEntry => ({
        name: program?.as ?? path.slice(1),
        mode: program?.mode ?? 0o755,
        body: readFileSync(path),
      }),
    ),
  ];
}

/** What the dynamic linker would load for a program, itself included; nothing for a static one. */
async function sharedLibraries(program: string): Promise<readonly string[]> {
  const listed = await output(["sh", "-c", 'ldd "$1" 2>&1 || true', "sh", program]);
  return listed.match(/\/\S+\.so\S*/g) ?? [];
}

async function libraryBeside(known: string, wanted: string): Promise<TarEntry> {
  const libc = (await sharedLibraries("/usr/bin/ipcs")).find((path) => path.endsWith(`/${known}`));
  if (libc === undefined) throw new Error(`ldd names no ${known} for /usr/bin/ipcs`);
  const library = libc.replace(known, wanted);
  return { name: library.slice(1), mode: 0o755, body: readFileSync(realpathSync(library)) };
}

async function locate(program: string): Promise<string> {
  return (await output(["sh", "-c", 'command -v "$1"', "sh", program])).trim();
}

function directory(name: string, mode = 0o755): TarEntry {
  return { name: `${name}/`, type: "directory", mode };
}

const page: readonly TarEntry[] = [
  directory("var/www"),
  { name: "var/www/index.html", body: "<!doctype html><title>It works</title>\n" },
];

/** In the foreground, as the image of the same name has it. */
function nginxLayer(port: number): Promise<Layer> {
  const config = `daemon off;
user www-data;
worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 64; }
http {
  access_log /dev/stdout;
  server { listen ${port}; root /var/www; }
}
`;
  return packageLayer(
    ["nginx", "libcrypt1", "libpcre2-8-0", "libssl3", "zlib1g"],
    [{ name: "etc/nginx/nginx.conf", body: config }, directory("var/lib/nginx"), directory("var/log/nginx"), ...page],
  );
}

/** A web server that names itself in its log: critest looks for "httpd" there. Apache would bring Perl and ICU along. */
function lighttpdLayer(): Promise<Layer> {
  const config = 'server.port = 80\nserver.document-root = "/var/www"\nindex-file.names = ("index.html")\n';
  return packageLayer(
    ["lighttpd", "libcrypt1", "libpcre2-8-0", "libnettle8", "libxxhash0"],
    [{ name: "etc/lighttpd/lighttpd.conf", body: config }, ...page],
  );
}

/** The named packages' files without what else they depend on, then further entries. */
async function packageLayer(names: readonly string[], entries: readonly TarEntry[]): Promise<Layer> {
  const packages = (await resolvePackages(names)).filter(({ name }) => names.includes(name));
  return buildLayer(joinTars([...(await packageTars(packages)), writeTar(entries)]));
}
