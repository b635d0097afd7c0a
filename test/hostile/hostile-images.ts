import type { HostileImage } from "./image-trial.ts";
import { attributeFixtures } from "./images/attributes.ts";
import { compressionFixtures } from "./images/compression.ts";
import { configFixtures } from "./images/config.ts";
import { endingFixtures } from "./images/endings.ts";
import { extensionFixtures } from "./images/extensions.ts";
import { hardLinkFixtures } from "./images/hard-links.ts";
import { headerFixtures } from "./images/headers.ts";
import { kindFixtures } from "./images/kinds.ts";
import { layoutFixtures } from "./images/layout.ts";
import { nameFixtures } from "./images/names.ts";
import { nodeFixtures } from "./images/nodes.ts";
import { processFixtures } from "./images/process-config.ts";
import { symlinkFixtures } from "./images/symlinks.ts";
import { whiteoutFixtures } from "./images/whiteouts.ts";

/** Every hostile image there is, by what it abuses. */
export const hostileImages: Readonly<Record<string, readonly HostileImage[]>> = {
  names: nameFixtures,
  "symbolic links": symlinkFixtures,
  "hard links": hardLinkFixtures,
  kinds: kindFixtures,
  whiteouts: whiteoutFixtures,
  nodes: nodeFixtures,
  attributes: attributeFixtures,
  headers: headerFixtures,
  extensions: extensionFixtures,
  ending: endingFixtures,
  compression: compressionFixtures,
  layout: layoutFixtures,
  process: processFixtures,
  configuration: configFixtures,
};
