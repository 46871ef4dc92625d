import {
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import { BackupError } from "../../domain/errors.ts";
import type { FoundLock, ObjectLock } from "../../domain/object-lock.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { failureOf, isObjectMissing } from "./s3-errors.ts";

export const LOCK_NAMES = { governance: "GOVERNANCE", compliance: "COMPLIANCE" } as const;

/** What stores answer where nothing is, or can be, locked. */
const NOT_LOCKED = [
  "NoSuchObjectLockConfiguration",
  "ObjectLockConfigurationNotFoundError",
  "InvalidRequest",
  "NotImplemented",
  "MethodNotAllowed",
];

/** Throws TARGET_REFUSED unless objects of the bucket can be locked. */
export async function checkLocks({ client, location }: S3Bucket, { signal }: Abortable): Promise<void> {
  const command = new GetObjectLockConfigurationCommand({ Bucket: location.bucket });
  try {
    const { ObjectLockConfiguration } = await client.send(command, {
      ...(signal && { abortSignal: signal }),
    });
    if (ObjectLockConfiguration?.ObjectLockEnabled === "Enabled") return;
  } catch (error) {
    if (!isNotLocked(error)) throw error;
  }
  throw new BackupError("TARGET_REFUSED", `${location.text} cannot lock objects`, {
    hint: "Object lock is a setting of the bucket, with most stores only while it is made; leave --lock-days away for this one.",
  });
}

/** Of the newest version. What locks has versions: for one without, nothing more is asked, and no more rights are needed. */
export async function lockOf(
  { client, location }: S3Bucket,
  key: string,
  { signal }: Abortable,
): Promise<FoundLock | null> {
  const object = { Bucket: location.bucket, Key: `${location.prefix}${key}` };
  const options = { ...(signal && { abortSignal: signal }) };
  try {
    const head = await client.send(new HeadObjectCommand(object), options);
    if (head.ObjectLockLegalHoldStatus === "ON") return { mode: "compliance", until: null };
    if (head.VersionId === undefined || head.VersionId === "null") return null;
    if (head.ObjectLockRetainUntilDate !== undefined)
      return found(head.ObjectLockMode, head.ObjectLockRetainUntilDate);
    // It may only not be told: that takes a right of its own, and without it this fails.
    const { Retention } = await client.send(new GetObjectRetentionCommand(object), options);
    return found(Retention?.Mode, Retention?.RetainUntilDate);
  } catch (error) {
    if (isObjectMissing(error) || isNotLocked(error)) return null;
    throw error;
  }
}

export async function extendLock(
  { client, location }: S3Bucket,
  key: string,
  { mode, until }: ObjectLock,
  { signal }: Abortable,
): Promise<void> {
  const command = new PutObjectRetentionCommand({
    Bucket: location.bucket,
    Key: `${location.prefix}${key}`,
    Retention: { Mode: LOCK_NAMES[mode], RetainUntilDate: until },
  });
  await client.send(command, { ...(signal && { abortSignal: signal }) });
}

function found(mode: string | undefined, until: Date | undefined): FoundLock | null {
  return until === undefined ? null : { mode: mode === "COMPLIANCE" ? "compliance" : "governance", until };
}

function isNotLocked(error: unknown): boolean {
  return NOT_LOCKED.includes(failureOf(error).name);
}
