import { parseBackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Finding, Severity } from "../domain/findings.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import { keptFrom } from "../domain/holdings.ts";
import { describeQueue } from "../domain/queue.ts";
import { MANIFEST_NAME } from "../repository/backup-folder.ts";
import { isReferenced, type ManifestOf } from "../repository/backup-references.ts";
import { segmentRuns, type SegmentRun } from "../repository/content-reader.ts";
import type { LostSegments } from "./lost-segments.ts";
import { NOWHERE, type Verdict } from "./verify-verdict.ts";

export interface ReferencesCheck {
  readonly manifestOf: ManifestOf;
  /** What was found of the others before. */
  readonly lost: LostSegments;
  found(finding: Finding): void;
}

/** Of a base: told there. */
const NOT_TO_BE_HAD = [
  "OBJECT_MISSING",
  "MANIFEST_DAMAGED",
  "FORMAT_NEWER",
  "TARGET_FAILED",
  "TARGET_REFUSED",
] as const;

/** What a backup leaves to others to hold must be held by them, and be whole there. */
export async function verifyReferences(check: ReferencesCheck, manifest: Manifest): Promise<void> {
  for (const queue of manifest.queues) {
    const verdict = await verdictOn(check, manifest, queue);
    if (verdict === null) continue;
    const { vhost, name } = queue;
    const where = { ...NOWHERE, backup: manifest.id, file: MANIFEST_NAME, queue: { vhost, name } };
    check.found({ ...where, ...verdict });
  }
  const verdict = await verdictOnBase(check, manifest);
  if (verdict !== null) check.found({ ...NOWHERE, backup: manifest.id, file: MANIFEST_NAME, ...verdict });
}

/** It may be gone, and damage of it is found there; but no other may lie in its place. */
async function verdictOnBase({ manifestOf }: ReferencesCheck, manifest: Manifest): Promise<Verdict | null> {
  const { base } = manifest;
  if (base === null || keptFrom(manifest).some(({ backup }) => backup === base)) return null;
  try {
    if (isReferenced(manifest, await manifestOf(parseBackupId(base), null))) return null;
  } catch (error) {
    if (hasCode(error, ...NOT_TO_BE_HAD)) return null;
    throw error;
  }
  return {
    severity: "damage",
    code: "BASE_DIFFERS",
    message: `its base ${base} is not the one it was built on`,
  };
}

async function verdictOn(
  check: ReferencesCheck,
  manifest: Manifest,
  queue: QueueEntry,
): Promise<Verdict | null> {
  if (!queue.content.some(({ kind }) => kind === "kept")) return null;
  let messages = 0;
  const missed = new MissedMessages(check.lost);
  try {
    for await (const run of segmentRuns(manifest, queue, 0, check.manifestOf)) {
      messages += run.count;
      if (run.holder !== manifest) missed.add(run);
    }
  } catch (error) {
    return failedReference(error, queue);
  }
  if (messages === queue.messages) return missed.verdict(queue);
  const message = `${describeQueue(queue)} has ${queue.messages} messages, ${messages} are to be had`;
  return { severity: "damage", code: "KEPT_MISSING", message };
}

function failedReference(error: unknown, queue: QueueEntry): Verdict {
  if (!(error instanceof BackupError)) throw error;
  const message = `${describeQueue(queue)} needs what another backup holds: ${error.message}`;
  if (hasCode(error, "OBJECT_MISSING", "MANIFEST_DAMAGED", "ARCHIVE_DAMAGED")) {
    return { severity: "damage", code: "KEPT_MISSING", message };
  }
  if (hasCode(error, "FORMAT_NEWER", "TARGET_FAILED", "TARGET_REFUSED")) {
    return { severity: "unverified", code: "UNREADABLE", message };
  }
  throw error;
}

/** Messages of one queue that lie in lost segments of others. */
class MissedMessages {
  readonly #lost: LostSegments;
  #messages = 0;
  #severity: Severity = "note";
  #first: string | null = null;

  constructor(lost: LostSegments) {
    this.#lost = lost;
  }

  add({ holder, queue, segment, count }: SegmentRun): void {
    if (!this.#lost.hasAny(holder.id)) return;
    const number = queue.segments.indexOf(segment) + 1;
    const severity = this.#lost.of(holder.id, queue.ordinal, number);
    if (severity === null) return;
    this.#messages += count;
    this.#first ??= `segment ${number} of backup ${holder.id}`;
    if (this.#severity !== "damage") this.#severity = severity;
  }

  verdict(queue: QueueEntry): Verdict | null {
    if (this.#first === null) return null;
    const damage = this.#severity === "damage";
    const what = `${this.#messages} messages of ${describeQueue(queue)} are kept by others`;
    return {
      severity: this.#severity,
      code: damage ? "KEPT_DAMAGED" : "UNREADABLE",
      message: `${what}, where they are ${damage ? "damaged" : "not to be looked at"}: ${this.#first} is the first`,
    };
  }
}
