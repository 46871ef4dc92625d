import { describe, expect, test } from "vitest";
import { isS3Target, parseS3Location } from "../../../src/domain/s3-location.ts";

function refusal(target: string): unknown {
  try {
    return parseS3Location(target);
  } catch (error) {
    return error;
  }
}

test("all that a target may say", () => {
  expect(
    parseS3Location(
      "s3://backups/rabbit/a?endpoint=https://s3.example:7480/&region=eu-central-1&pathStyle=true&profile=ops&storageClass=STANDARD_IA&sse=aws:kms&kmsKey=alias/backups&conditionalPut=no",
    ),
  ).toEqual({
    bucket: "backups",
    prefix: "rabbit/a/",
    endpoint: "https://s3.example:7480",
    region: "eu-central-1",
    pathStyle: true,
    profile: "ops",
    storageClass: "STANDARD_IA",
    sse: "aws:kms",
    kmsKey: "alias/backups",
    conditionalPut: false,
    text: "s3://backups/rabbit/a/?endpoint=https://s3.example:7480",
  });
});

test("nothing but a bucket", () => {
  expect(parseS3Location("s3://backups")).toMatchObject({
    prefix: "",
    endpoint: null,
    region: null,
    pathStyle: false,
    storageClass: null,
    sse: null,
    conditionalPut: true,
    text: "s3://backups/",
  });
});

test.each(["s3://backups/a/b", "s3://backups/a/b/", "s3://backups//a//b", "S3://backups/a/b?region=x"])(
  "%s has the prefix a/b/",
  (target) => expect(parseS3Location(target)).toMatchObject({ bucket: "backups", prefix: "a/b/" }),
);

test("what is a directory is none", () => {
  expect(["s3://b", "S3://b/x"].map(isS3Target)).toEqual([true, true]);
  expect(["/s3://b", "s3", "./s3:/b", "http://s3"].map(isS3Target)).toEqual([false, false, false, false]);
});

describe("refused", () => {
  test.each([
    [
      "s3://backups?conditionalPut=maybe",
      "conditionalPut=maybe of an S3 target is neither",
      "conditionalPut=no",
    ],
    ["s3://", "names no bucket", "s3://bucket/prefix"],
    ["s3:///x", "names no bucket", ""],
    ["s3://b?region=x", "names no bucket", ""],
    ["s3://bad bucket/x", "names no bucket", ""],
    ["s3://backups/../x", 'a part that no key should have: ".."', ""],
    ["s3://backups/a/./x", "a part that no key should have", ""],
    ["s3://backups/a#b", "a part that no key should have", ""],
    ["s3://backups/é", "a part that no key should have", ""],
    ["s3://backups?acl=public", "has an unknown option acl=", "Known are endpoint, region"],
    ["s3://backups?storage-class=X", "unknown option storage-class=", "Did you mean storageClass=?"],
    ["s3://backups?region=a&region=b", "has region= twice", "Keep one"],
    ["s3://backups?region=", "region= of target s3://backups is empty", ""],
    ["s3://backups?endpoint=s3.example", "not an http or https address", "endpoint=https://"],
    ["s3://backups?endpoint=ftp://s3.example", "not an http or https address", ""],
    ["s3://backups?pathStyle=yes", "pathStyle=yes of an S3 target is neither true nor false", ""],
    ["s3://backups?sse=AES", "sse=AES of an S3 target is unknown", "aws:kms"],
    ["s3://backups?kmsKey=x", "needs a key service", "sse=aws:kms"],
    ["s3://backups?kmsKey=x&sse=AES256", "needs a key service", "sse=aws:kms"],
    ["s3://backups?storageClass=COLD", "storageClass=COLD of an S3 target is unknown", "STANDARD_IA"],
    ["s3://backups?storageClass=GLACIER", "keeps what cannot be read at once", "GLACIER_IR"],
  ])("%s", (target, message, hint) => {
    expect(refusal(target)).toMatchObject({
      code: "SETTING_INVALID",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  test.each([
    "s3://AKIA:s3cr3t@backups/x",
    "s3://AKIA:s3cr3t/y@backups/x",
    "s3://AKIA:s3cr3t",
    "s3://backups?endpoint=https://AKIA:s3cr3t@s3.example",
    "s3://backups?secret/s3cr3t=1",
    "s3://backups?endpoint=AKIA:s3cr3t@s3.example",
  ])("%s, without a word of what may be secret", (target) => {
    const refused = refusal(target);
    expect(refused).toMatchObject({ code: "SETTING_INVALID" });
    expect(JSON.stringify(refused) + String(refused)).not.toContain("s3cr3t");
  });
});
