import { type Blob, buildIndex, type Image } from "./oci-image.ts";
import type { Registry } from "./registry.ts";

/** What a pull of the pushed name should find. */
export interface PushedImage {
  /** "127.0.0.1:PORT/repository:tag" */
  readonly reference: string;
  /** The same by digest: "127.0.0.1:PORT/repository@sha256:…". */
  readonly digestReference: string;
  /** Of the manifest or index the tag names. */
  readonly digest: string;
  /** The image id that CRI shows: the config's digest. */
  readonly id: string;
}

type Target = Pick<Registry, "host" | "headers">;

/** Uploads what the registry lacks and sets the tag. */
export async function pushImage(to: Target, repository: string, tag: string, image: Image): Promise<PushedImage> {
  await pushParts(to, repository, image);
  await putManifest(to, repository, tag, image.manifest);
  return pushed(to, repository, tag, image.manifest, image);
}

/** Uploads images of several platforms under one tag. @returns the first one as the image to be found */
export async function pushIndex(
  to: Target,
  repository: string,
  tag: string,
  images: readonly [Image, ...Image[]],
  format: "oci" | "docker" = "oci",
): Promise<PushedImage> {
  for (const image of images) {
    await pushParts(to, repository, image);
    await putManifest(to, repository, image.manifest.digest, image.manifest);
  }
  const index = buildIndex(images, format);
  await putManifest(to, repository, tag, index);
  return pushed(to, repository, tag, index, images[0]);
}

function pushed(to: Target, repository: string, tag: string, top: Blob, image: Image): PushedImage {
  return {
    reference: `${to.host}/${repository}:${tag}`,
    digestReference: `${to.host}/${repository}@${top.digest}`,
    digest: top.digest,
    id: image.config.digest,
  };
}

async function pushParts(to: Target, repository: string, image: Image): Promise<void> {
  for (const blob of [...image.layers, image.config]) await pushBlob(to, repository, blob);
}

async function pushBlob(to: Target, repository: string, blob: Blob): Promise<void> {
  const base = `http://${to.host}/v2/${repository}/blobs`;
  const known = await fetch(`${base}/${blob.digest}`, { method: "HEAD", headers: to.headers });
  if (known.status === 200) return;
  const started = await fetch(`${base}/uploads/`, { method: "POST", headers: to.headers });
  const location = started.headers.get("location");
  if (started.status !== 202 || location === null) throw await refusal("start an upload", started);
  const target = new URL(location, base);
  target.searchParams.set("digest", blob.digest);
  const body = Buffer.from(blob.bytes);
  const headers = { ...to.headers, "content-type": "application/octet-stream" };
  const finished = await fetch(target, { method: "PUT", headers, body });
  if (finished.status !== 201) throw await refusal(`upload ${blob.digest}`, finished);
}

async function putManifest(to: Target, repository: string, name: string, manifest: Blob): Promise<void> {
  const answer = await fetch(`http://${to.host}/v2/${repository}/manifests/${name}`, {
    method: "PUT",
    headers: { ...to.headers, "content-type": manifest.mediaType },
    body: Buffer.from(manifest.bytes),
  });
  if (answer.status !== 201) throw await refusal(`put manifest ${name}`, answer);
}

async function refusal(step: string, answer: Response): Promise<Error> {
  return new Error(`The registry did not ${step}: ${answer.status} ${await answer.text()}`);
}
