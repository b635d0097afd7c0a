import type { AttachmentRecord } from "./attachment-record.ts";

/** What was seen when the agent started. */
export interface ObservedPods {
  /** Ids of the sandboxes that have records. */
  readonly live: ReadonlySet<string>;
  /** Pins of pods' namespaces that are there; a reboot leaves none. */
  readonly pinned: ReadonlySet<string>;
}

export interface AttachmentRecovery {
  /** Their pod, or its namespace, is gone: to be taken away. */
  readonly release: readonly AttachmentRecord[];
  /** Theirs is there: plugins are asked whether the network is, too. */
  readonly check: readonly AttachmentRecord[];
  /**
   * Their ADD was cut short, and their pod has a record: its sandbox is on the way out, or will attach again. Both begin
   * with taking away what there is.
   */
  readonly leave: readonly AttachmentRecord[];
}

/** Pure: records × what lives → what to do. */
export function planAttachmentRecovery(
  records: readonly AttachmentRecord[],
  { live, pinned }: ObservedPods,
): AttachmentRecovery {
  const fateOf = ({ sandboxId, target, attached }: AttachmentRecord): keyof AttachmentRecovery => {
    if (!live.has(sandboxId) || !pinned.has(target.netnsPath)) return "release";
    return attached === undefined ? "leave" : "check";
  };
  const fates = Map.groupBy(records, fateOf);
  return {
    release: fates.get("release") ?? [],
    check: fates.get("check") ?? [],
    leave: fates.get("leave") ?? [],
  };
}
