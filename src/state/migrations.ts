/**
 * The schema's history, oldest first; `PRAGMA user_version` counts the steps a database has had.
 * A step that has been released is never edited: a change is a new step at the end.
 */
export const migrations: readonly string[] = [
  `
  -- facts about the agent's last run, such as the boot it belonged to
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  -- one JSON record a row; the owner folder defines and checks the body
  CREATE TABLE sandboxes  (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE containers (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE images     (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE snapshots  (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE ingests    (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE vpcs       (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  CREATE TABLE enis       (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

  -- the last line of defence against one address for two pods, whatever the allocator believes
  CREATE TABLE addresses (
    vswitch TEXT NOT NULL,
    address TEXT NOT NULL,
    eni     TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('used', 'cooling')),
    free_at INTEGER,
    PRIMARY KEY (vswitch, address)
  ) STRICT;
  CREATE INDEX addresses_by_eni ON addresses (eni);
  `,
  `
  -- fixed addresses: held for the next pod of the same key; SQLite can't widen a CHECK in place
  CREATE TABLE addresses_with_holders (
    vswitch TEXT NOT NULL,
    address TEXT NOT NULL,
    eni     TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('used', 'cooling', 'held')),
    free_at INTEGER,
    holder  TEXT,
    PRIMARY KEY (vswitch, address)
  ) STRICT;
  INSERT INTO addresses_with_holders (vswitch, address, eni, state, free_at)
    SELECT vswitch, address, eni, state, free_at FROM addresses;
  DROP TABLE addresses;
  ALTER TABLE addresses_with_holders RENAME TO addresses;
  CREATE INDEX addresses_by_eni ON addresses (eni);
  CREATE INDEX addresses_by_holder ON addresses (holder) WHERE holder IS NOT NULL;
  `,
  `
  -- how long each image has been idle, and its lease: what the collection of images goes by
  CREATE TABLE image_uses (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  `,
  `
  -- pods' attachments to a CNI network
  CREATE TABLE attachments (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  `,
  `
  -- sets of images kept ready for pods
  CREATE TABLE image_caches (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  `,
];
