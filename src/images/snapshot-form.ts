/**
 * How a layer is kept: as a directory of files ("overlay"), or as its inflated tar with an EROFS index that points into
 * it ("erofs"). Either is a lower directory of overlayfs in the end, and one image may stand on both.
 */
export const snapshotForms = ["overlay", "erofs"] as const;
export type SnapshotForm = (typeof snapshotForms)[number];
