import type { QueueAddress } from "./queue.ts";

/** damage: something stored is not what was stored. unverified: it could not be looked at. note: worth knowing, nothing is lost. */
export type Severity = "damage" | "unverified" | "note";

export type FindingCode =
  | "REPOSITORY_DAMAGED"
  | "MANIFEST_DAMAGED"
  | "FORMAT_NEWER"
  | "VOLUME_MISSING"
  | "VOLUME_DAMAGED"
  | "SEGMENT_DAMAGED"
  | "DEFINITIONS_DAMAGED"
  | "INDEX_MISSING"
  | "INDEX_DAMAGED"
  | "FINGERPRINTS_DIFFER"
  | "TOTALS_DIFFER"
  | "KEPT_MISSING"
  | "KEPT_DAMAGED"
  | "BASE_DIFFERS"
  | "KEY_DAMAGED"
  | "UNREADABLE"
  | "REMOVED_MEANWHILE"
  | "NOT_COMMITTED"
  | "ORPHAN";

/** What a verification found, and where. null: it concerns the whole of the next outer thing. */
export interface Finding {
  readonly severity: Severity;
  readonly code: FindingCode;
  readonly backup: string | null;
  /** The stored file's name within the backup's folder, e.g. "data-00001.tar.zst". */
  readonly file: string | null;
  readonly queue: QueueAddress | null;
  /** 1-based number of the segment within its queue. */
  readonly segment: number | null;
  /** Lowercase, no full stop, names the thing. */
  readonly message: string;
}

export function hasDamage(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === "damage");
}

/** True when everything was looked at and nothing is damaged. */
export function isSound(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity === "note");
}
