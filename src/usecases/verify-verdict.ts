import { hasCode } from "../domain/errors.ts";
import type { Finding, FindingCode } from "../domain/findings.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import { describePart, type StoredPart } from "../repository/stored-parts.ts";

/** What is wrong, wherever it is. */
export type Verdict = Pick<Finding, "severity" | "code" | "message">;

/** Where something is wrong. */
export type Place = Pick<Finding, "backup" | "file" | "queue" | "segment">;

export const NOWHERE: Place = { backup: null, file: null, queue: null, segment: null };

/** `part` null: the file as a whole. */
export function placeIn(backup: string, file: VolumeEntry, part: StoredPart | null): Place {
  const queue = part?.queue ?? null;
  return {
    backup,
    file: file.name,
    queue: queue === null ? null : { vhost: queue.vhost, name: queue.name },
    segment: part?.number ?? null,
  };
}

const PART_DAMAGED: Readonly<Record<StoredPart["kind"], FindingCode>> = {
  segment: "SEGMENT_DAMAGED",
  definitions: "DEFINITIONS_DAMAGED",
  fingerprints: "INDEX_DAMAGED",
};

export function damagedPart(part: StoredPart, why: string): Verdict {
  return {
    severity: "damage",
    code: PART_DAMAGED[part.kind],
    message: `${describePart(part)} is damaged: ${why}`,
  };
}

/** Of a part that is in a file of which this was said. */
export function partOfFile(part: StoredPart, { severity, message }: Verdict): Verdict {
  const code = severity === "damage" ? PART_DAMAGED[part.kind] : "UNREADABLE";
  return { severity, code, message: `${describePart(part)} cannot be had: ${message}` };
}

/** Of a part that was looked at in vain; throws what is no matter of this part. */
export function failedPart(error: unknown, part: StoredPart): Verdict {
  if (hasCode(error, "ARCHIVE_DAMAGED", "OBJECT_MISSING")) return damagedPart(part, error.message);
  if (hasCode(error, "FORMAT_NEWER", "TARGET_FAILED", "TARGET_REFUSED")) {
    const code = error.code === "FORMAT_NEWER" ? "FORMAT_NEWER" : "UNREADABLE";
    return { severity: "unverified", code, message: `${describePart(part)}: ${error.message}` };
  }
  throw error;
}
