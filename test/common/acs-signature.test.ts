import { describe, expect, test } from "vitest";
import { signAcsCall } from "../../src/common/acs-signature.ts";

const call = {
  method: "POST",
  host: "ecs.cn-shanghai.aliyuncs.com",
  action: "RunInstances",
  version: "2014-05-26",
  query: { RegionId: "cn-shanghai", ImageId: "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd" },
  date: new Date("2023-10-26T10:22:32Z"),
  nonce: "3156853299f313e23d1673dc12e1703d",
} as const;
const key = { id: "YourAccessKeyId", secret: "YourAccessKeySecret", securityToken: "" };

describe("signAcsCall()", () => {
  test("gives the signature of the cloud's own documentation", () => {
    const { query, headers } = signAcsCall(call, key);
    expect(query).toBe("ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai");
    expect(headers).toMatchObject({
      "x-acs-date": "2023-10-26T10:22:32Z",
      authorization:
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
    });
    expect(headers).not.toHaveProperty("x-acs-security-token");
  });

  test("signs a temporary key's token, and encodes by RFC 3986", () => {
    const { query, headers } = signAcsCall({ ...call, query: { "a b": "*~'()!/ü" } }, { ...key, securityToken: "sts" });
    expect(query).toBe("a%20b=%2A~%27%28%29%21%2F%C3%BC");
    expect(headers["authorization"]).toContain(";x-acs-security-token;");
    expect(headers["x-acs-security-token"]).toBe("sts");
  });
});
