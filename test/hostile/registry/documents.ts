import { type Behaviour, onlyFor } from "../../images/registry-double.ts";
import type { RegistryCase, Scene } from "../../images/registry-trial.ts";
import { digestOf, type Image } from "../../support/oci-image.ts";

const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
};

const malformed = (says: RegExp) => ({ code: "FailedPrecondition", says }) as const;

type Json = Readonly<Record<string, unknown>>;

const parsed = (blob: { readonly bytes: Uint8Array }): Json => JSON.parse(Buffer.from(blob.bytes).toString()) as Json;

/** Gives these bytes for every manifest. */
function document(bytes: string | Uint8Array | ((image: Image) => string), mediaType = types.manifest) {
  return ({ image }: Scene): Behaviour =>
    onlyFor("manifest", ({ serve }) =>
      serve({ mediaType, bytes: Buffer.from((typeof bytes === "function" ? bytes(image) : bytes) as Uint8Array) }),
    );
}

/** The image's manifest with some fields changed. */
function changed(change: (manifest: Json, image: Image) => object, mediaType = types.manifest) {
  return document(
    (image) => JSON.stringify({ ...parsed(image.manifest), ...change(parsed(image.manifest), image) }),
    mediaType,
  );
}

function layersChanged(change: (layer: Json) => object) {
  return changed(({ layers }) => ({ layers: (layers as Json[]).map((layer) => ({ ...layer, ...change(layer) })) }));
}

/** The image with another configuration, which its manifest names rightly. */
function configured(change: (config: Json) => string | object): RegistryCase["behave"] {
  return ({ image }) => {
    const result = change(parsed(image.config));
    const bytes = Buffer.from(
      typeof result === "string" ? result : JSON.stringify({ ...parsed(image.config), ...result }),
    );
    const digest = digestOf(bytes);
    const manifest = {
      ...parsed(image.manifest),
      config: { mediaType: types.config, digest, size: bytes.length },
    };
    return ({ request, serve, honest }) => {
      if (request.path.includes(digest)) serve({ mediaType: types.config, bytes });
      else if (request.kind === "manifest")
        serve({ mediaType: types.manifest, bytes: Buffer.from(JSON.stringify(manifest)) });
      else honest();
    };
  };
}

/** Indexes in indexes; the innermost names the image. */
function nested(depth: number): RegistryCase["behave"] {
  return ({ image }) => {
    const documents = new Map<string, Buffer>();
    let named = { mediaType: types.manifest, digest: image.manifest.digest, size: image.manifest.bytes.length };
    for (let level = 0; level < depth; level++) {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [named] }));
      named = { mediaType: types.index, digest: digestOf(bytes), size: bytes.length };
      documents.set(named.digest, bytes);
    }
    const top = documents.get(named.digest) ?? Buffer.alloc(0);
    return onlyFor("manifest", ({ request, serve, honest }) => {
      const asked = [...documents].find(([digest]) => request.path.includes(digest))?.[1];
      if (request.path.includes(image.manifest.digest)) honest();
      else serve({ mediaType: types.index, bytes: asked ?? top });
    });
  };
}

const index = (manifests: unknown, more: object = {}) =>
  JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests, ...more });
const entry = (image: Image, more: object = {}) => ({
  mediaType: types.manifest,
  digest: image.manifest.digest,
  size: image.manifest.bytes.length,
  platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch },
  ...more,
});

/** Manifests, indexes and configurations that are not what they should be. */
export const documentCases: readonly RegistryCase[] = [
  { name: "sends an empty manifest", behave: document(""), verdict: malformed(/manifest "sha256:e3b0.*not JSON/) },
  {
    name: "sends half a manifest",
    behave: document('{"schemaVersion":2,"lay'),
    verdict: malformed(/is not JSON in UTF-8/),
  },
  { name: "sends a list", behave: document("[]"), verdict: malformed(/must be an object/) },
  { name: "sends null", behave: document("null"), verdict: malformed(/must be an object/) },
  {
    name: "sends a web page for everything",
    behave: document("<html>Please log in to the hotel's network</html>", "text/html"),
    verdict: malformed(/manifest "sha256:.*(text\/html|not JSON)/),
  },
  {
    name: "sends UTF-16",
    behave: document((image) => Buffer.from(image.manifest.bytes).toString("utf16le")),
    verdict: malformed(/is not JSON in UTF-8/),
  },
  {
    name: "sends bytes that are no UTF-8",
    behave: document(Buffer.from('{"schemaVersion":2,"a":"\xff"}', "latin1")),
    verdict: malformed(/is not JSON in UTF-8/),
  },
  {
    name: "sends something behind the manifest",
    behave: document((image) => `${Buffer.from(image.manifest.bytes)}{}`),
    verdict: malformed(/is not JSON in UTF-8/),
  },
  {
    name: "nests a manifest 100,000 deep",
    behave: document(`${"[".repeat(100_000)}${"]".repeat(100_000)}`),
    verdict: malformed(/nested deeper than 64/),
  },
  {
    name: "names the layers twice",
    behave: document((image) => `{"layers":[],${Buffer.from(image.manifest.bytes).toString().slice(1)}`),
    verdict: malformed(/"layers" .*twice/),
  },
  {
    name: "names a digest twice, once escaped",
    behave: document((image) =>
      Buffer.from(image.manifest.bytes)
        .toString()
        .replace('"config":{', `"config":{"\\u0064igest":"sha256:${"0".repeat(64)}",`),
    ),
    verdict: malformed(/"digest" .*twice/),
  },
  {
    name: "names the prototype of all objects",
    behave: document((image) => `{"__proto__":{"layers":[]},${Buffer.from(image.manifest.bytes).toString().slice(1)}`),
    verdict: "pulled",
  },
  {
    name: "hides the layers in a prototype",
    behave: changed(({ layers }) => ({ layers: undefined, ["__proto__"]: { layers } })),
    verdict: malformed(/must have "layers"/),
  },
  {
    name: "sends a manifest that is an index as well",
    behave: changed((_manifest, image) => ({ manifests: [entry(image)] })),
    verdict: malformed(/an image must not have "manifests"/),
  },
  {
    name: "sends an index that is a manifest as well",
    behave: document((image) => index([entry(image)], { layers: [], config: {} }), types.index),
    verdict: malformed(/an index must not have "(config|layers)"/),
  },
  {
    name: "calls a manifest an index in Content-Type",
    behave: changed(() => ({}), types.index),
    verdict: malformed(/it is called ".*index.*" and ".*manifest.*" at once/),
  },
  {
    name: "calls a manifest a signature",
    behave: changed(() => ({ mediaType: "application/vnd.dev.cosign" }), "application/vnd.dev.cosign"),
    verdict: malformed(/manifest media type "application\/vnd\.dev\.cosign" is not an OCI or Docker v2 image/),
  },
  {
    name: "sends schema 1",
    behave: document('{"schemaVersion":1,"fsLayers":[]}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    verdict: malformed(/Docker's schema 1 is not read/),
  },
  {
    name: "has an artifact where the configuration belongs",
    behave: changed(({ config }) => ({
      config: { ...(config as Json), mediaType: "application/vnd.oci.empty.v1+json" },
    })),
    verdict: malformed(/config media type "application\/vnd\.oci\.empty\.v1\+json" is not an image's configuration/),
  },
  {
    name: "encrypts its layers",
    behave: layersChanged(() => ({ mediaType: `${types.layer}+gzip+encrypted` })),
    verdict: malformed(/layer media type ".*\+encrypted" is not a tar/),
  },
  {
    name: "says the wrong compression",
    behave: layersChanged(() => ({ mediaType: `${types.layer}+zstd` })),
    verdict: { code: "DataLoss", says: /starts with bytes .* its media type says zstd/ },
  },
  {
    name: "sends foreign layers elsewhere",
    behave: (scene) =>
      layersChanged((layer) => ({
        mediaType: String(layer["mediaType"]).replace("layer.v1", "layer.nondistributable.v1"),
        urls: [`${scene.other.url}/v2/x/blobs/${layer["digest"]}`, "file:///etc/shadow"],
      }))(scene),
    verdict: "pulled",
    seen: ({ other }) => {
      if (other.requests.length > 0) throw new Error("urls of a descriptor were asked");
    },
  },
  {
    name: "brings a layer's data in its descriptor",
    behave: layersChanged(() => ({ data: Buffer.from("other").toString("base64") })),
    verdict: "pulled",
  },
  {
    name: "has no layers",
    behave: changed(() => ({ layers: [] })),
    verdict: malformed(/0 layers in its manifest and 2 in its configuration/),
  },
  {
    name: "has 129 layers",
    behave: changed(({ layers }) => ({ layers: Array(129).fill((layers as Json[])[0]) })),
    verdict: malformed(/layers: has 129 elements, more than 128/),
  },
  {
    name: "has a layer less than its configuration",
    behave: changed(({ layers }) => ({ layers: (layers as Json[]).slice(1) })),
    verdict: malformed(/1 layers in its manifest and 2 in its configuration/),
  },
  {
    name: "climbs directories with a digest",
    behave: layersChanged(() => ({ digest: "sha256:../../../../../../etc/passwd" })),
    verdict: malformed(/layers\[0\], digest/),
  },
  {
    name: "writes a digest in capitals",
    behave: layersChanged(({ digest }) => ({ digest: String(digest).toUpperCase() })),
    verdict: malformed(/layers\[0\], digest/),
  },
  {
    name: "names an algorithm nobody trusts",
    behave: layersChanged(() => ({ digest: `md5:${"0".repeat(32)}` })),
    verdict: malformed(/layers\[0\], digest/),
  },
  {
    name: "has a layer of a negative size",
    behave: layersChanged(() => ({ size: -1 })),
    verdict: malformed(/size: must be a whole number/),
  },
  {
    name: "has a layer of half a byte",
    behave: layersChanged(() => ({ size: 0.5 })),
    verdict: malformed(/size: must be a whole number/),
  },
  {
    name: "has a layer of 2^60 bytes",
    behave: layersChanged(() => ({ size: 2 ** 60 })),
    verdict: malformed(/size: must be a whole number/),
  },
  {
    name: "has layers of more bytes than can be counted",
    behave: layersChanged(() => ({ size: Number.MAX_SAFE_INTEGER })),
    verdict: malformed(/claims \d+ bytes: no disk holds that/),
  },
  {
    name: "has a layer of no bytes",
    behave: layersChanged(() => ({ size: 0 })),
    verdict: { code: "DataLoss", says: /sent \d+ bytes of blob ".*": its descriptor promises 0|blob .* has digest/ },
  },
  {
    name: "promises another size of the configuration",
    behave: changed(({ config }) => ({ config: { ...(config as Json), size: 7 } })),
    verdict: { code: "DataLoss", says: /of blob "sha256:.*": its descriptor promises 7/ },
  },
  {
    name: "promises a configuration of 9 MiB",
    behave: changed(({ config }) => ({ config: { ...(config as Json), size: 9 * 2 ** 20 } })),
    verdict: malformed(/has 9437184 bytes: at most 8388608 are read/),
  },
  {
    name: "has an index of nothing",
    behave: document(index([]), types.index),
    verdict: { code: "NotFound", says: /it has none/ },
  },
  {
    name: "has an index of 1001 images",
    behave: document((image) => index(Array(1001).fill(entry(image))), types.index),
    verdict: malformed(/manifests: has 1001 elements, more than 1000/),
  },
  {
    name: "has an index for other machines",
    behave: document(
      (image) => index([entry(image, { platform: { os: "plan9\u001b[2J", architecture: "vax" } })]),
      types.index,
    ),
    verdict: { code: "NotFound", says: /it has plan9\?\[2J\/vax/ },
  },
  {
    name: "has an index that lies about a size",
    behave: ({ image }) =>
      onlyFor("manifest", ({ request, serve, honest }) => {
        if (request.path.includes(image.manifest.digest)) honest();
        else serve({ mediaType: types.index, bytes: Buffer.from(index([entry(image, { size: 5 })])) });
      }),
    verdict: { code: "DataLoss", says: /Manifest "sha256:.*: its descriptor promises 5/ },
  },
  { name: "nests three indexes", behave: nested(3), verdict: "pulled" },
  { name: "nests four indexes", behave: nested(4), verdict: malformed(/nests indexes deeper than 3/) },
  {
    name: "answers every manifest with the same index",
    behave: document((image) => index([entry(image, { mediaType: types.index })]), types.index),
    verdict: { code: "DataLoss", says: /arrived with other content/ },
  },
  {
    name: "has a configuration for another machine",
    behave: configured(() => ({ architecture: "s390x" })),
    verdict: { code: "NotFound", says: /is for platform linux\/s390x: this node runs linux\// },
  },
  {
    name: "has a configuration without layers",
    behave: configured(() => ({ rootfs: { type: "layers", diff_ids: [] } })),
    verdict: malformed(/2 layers in its manifest and 0 in its configuration/),
  },
  {
    name: "has a configuration that names another tar",
    behave: configured(() => ({
      rootfs: { type: "layers", diff_ids: [1, 2].map((n) => `sha256:${String(n).repeat(64)}`) },
    })),
    verdict: { code: "DataLoss", says: /its tar has digest "sha256:.*": must be "sha256:[12]{64}"/ },
  },
  {
    name: "has a configuration of brackets",
    behave: configured(() => `{"config":${'{"a":'.repeat(5000)}1${"}".repeat(5000)}}`),
    verdict: malformed(/image configuration .* nested deeper than 64/),
  },
  {
    name: "names the user twice in its configuration",
    behave: configured((config) =>
      JSON.stringify(config).replace('"config":{}', '"config":{"User":"0","User":"1000"}'),
    ),
    verdict: malformed(/"User" .*twice/),
  },
];
