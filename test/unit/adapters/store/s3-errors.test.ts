import { expect, test } from "vitest";
import { isObjectMissing, s3Error } from "../../../../src/adapters/store/s3-errors.ts";
import { BackupError } from "../../../../src/domain/errors.ts";

function answer(name: string, status: number): Error {
  const error = new Error("the store's own words s3cr3t");
  error.name = name;
  return Object.assign(error, { $metadata: { httpStatusCode: status, attempts: 1 }, $response: "s3cr3t" });
}

function failed(code: string, name = "Error"): Error {
  const error = Object.assign(new Error(`connect ${code}`), { code });
  error.name = name;
  return error;
}

test.each([
  [answer("NoSuchBucket", 404), "TARGET_MISSING", "there is no such bucket"],
  [answer("AccessDenied", 403), "TARGET_REFUSED", "access denied"],
  [answer("403", 403), "TARGET_REFUSED", "access denied"],
  [answer("Unauthorized", 401), "TARGET_REFUSED", "access denied"],
  [answer("InvalidAccessKeyId", 403), "TARGET_REFUSED", "the access key is not known there"],
  [answer("SignatureDoesNotMatch", 403), "TARGET_REFUSED", "the secret key is not that of the access key"],
  [answer("ExpiredToken", 400), "TARGET_REFUSED", "the credentials have run out"],
  [answer("RequestTimeTooSkewed", 403), "TARGET_REFUSED", "this machine's clock"],
  [answer("QuotaExceeded", 403), "TARGET_FULL", "the quota is used up"],
  [answer("Strange", 507), "TARGET_FULL", "the store is full"],
  [answer("NotImplemented", 501), "TARGET_REFUSED", "the store does not support what mqbackup needs"],
  [answer("InvalidObjectState", 403), "TARGET_REFUSED", "the object was moved to an archive"],
  [answer("SlowDown", 503), "TARGET_FAILED", "the store asks to slow down"],
  [answer("InternalError", 500), "TARGET_FAILED", "the store answers 500 InternalError"],
  [answer("two words", 500), "TARGET_FAILED", "the store answers 500 an error without a name"],
  [failed("ECONNREFUSED"), "TARGET_FAILED", "connection refused"],
  [new AggregateError([failed("ECONNREFUSED")]), "TARGET_FAILED", "connection refused"],
  [failed("ENOTFOUND"), "TARGET_MISSING", "there is no host of that name"],
  [failed("ECONNRESET", "TimeoutError"), "TARGET_FAILED", "it does not answer in time"],
  [failed("EPROTO"), "TARGET_FAILED", "EPROTO"],
  [failed("x", "CredentialsProviderError"), "TARGET_REFUSED", "no credentials are found"],
  [new Error("Region is missing"), "SETTING_INVALID", "no region is given"],
])("%s is %s: %s", (error, code, why) => {
  const meant = s3Error(error, "write a at s3://b/");
  expect(meant).toBeInstanceOf(BackupError);
  expect(meant).toMatchObject({
    code,
    message: expect.stringContaining(`cannot write a at s3://b/: ${why}`),
  });
  if (!(meant instanceof BackupError)) return;
  expect(meant.hint).toMatch(/\S\.$/);
  const { cause } = meant;
  const shown = [meant.message, meant.hint, String(cause), cause instanceof Error ? cause.stack : ""].join();
  expect(shown + JSON.stringify([meant, cause])).not.toContain("s3cr3t");
});

test("what has a code already, and what is no error, stays", () => {
  const own = new BackupError("ARCHIVE_DAMAGED", "x");
  expect([s3Error(own, "x"), s3Error("text", "x")]).toEqual([own, "text"]);
});

test("an object is missing, a bucket or an upload is not that", () => {
  const errors = [answer("NoSuchKey", 404), answer("NotFound", 404), answer("NoSuchBucket", 404)];
  expect(errors.map(isObjectMissing)).toEqual([true, true, false]);
  expect([answer("NoSuchUpload", 404), new Error("x")].map(isObjectMissing)).toEqual([false, false]);
});
