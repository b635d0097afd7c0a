import type { NodeAttributes } from "../plan-unpack.ts";
import { aclUnderMode } from "../posix-acl.ts";

const accessList = "system.posix_acl_access";

/** The attributes as a file system would keep them that is given them one after the other, the mode last. */
export function indexAttributes(attributes: NodeAttributes): NodeAttributes {
  if (!attributes.xattrs.some(({ name }) => name === accessList)) return attributes;
  const xattrs = attributes.xattrs.flatMap(({ name, value }) => {
    const kept = name === accessList ? aclUnderMode(value, attributes.mode) : value;
    return kept === undefined ? [] : [{ name, value: kept }];
  });
  return { ...attributes, xattrs };
}
