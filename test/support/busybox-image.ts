import { readFileSync } from "node:fs";
import { output } from "./command.ts";
import { buildLayer, type Compression, type Layer } from "./oci-image.ts";
import type { TarEntry } from "./tar-writer.ts";

const passwd =
  "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/www:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
const group = "root:x:0:\nwww-data:x:33:\napp:x:1000:\nextra:x:5000:app\n";

/** A root file system of this machine's static busybox with every applet, a few users, and a page to serve. */
export async function busyboxLayer(compression: Compression = "gzip"): Promise<Layer> {
  const applets = (await output(["busybox", "--list"])).split("\n").filter((name) => name !== "" && name !== "busybox");
  const directory = (name: string, mode = 0o755): TarEntry => ({ name: `${name}/`, type: "directory", mode });
  return buildLayer(
    [
      ...["bin", "dev", "etc", "home", "home/app", "proc", "root", "run", "sys", "usr", "usr/bin", "var", "www"].map(
        (name) => directory(name),
      ),
      directory("tmp", 0o1777),
      { name: "bin/busybox", mode: 0o755, body: readFileSync("/bin/busybox") },
      ...applets.map(
        (name): TarEntry => ({ name: `bin/${name}`, type: "hardlink", mode: 0o755, target: "bin/busybox" }),
      ),
      { name: "etc/passwd", body: passwd },
      { name: "etc/group", body: group },
      { name: "www/index.html", body: "a page from a pod\n" },
    ],
    compression,
  );
}
