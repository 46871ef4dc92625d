import { BackupError } from "./errors.ts";
import type { BackupKind } from "./manifest.ts";

declare const backupId: unique symbol;

/**
 * `20261121-193200F`: a full backup begun at that second, UTC. `20261121-193200F_20261122-020000I`: an incremental in the chain of
 * that full. A plain listing of folders shows chains together, oldest first.
 */
export type BackupId = string & { readonly [backupId]: true };

const FORM = /^(\d{8}-\d{6})F(?:_(\d{8}-\d{6})I)?$/;

export function isBackupId(text: string): text is BackupId {
  const match = FORM.exec(text);
  if (match === null) return false;
  const [, full = "", incremental] = match;
  return isMoment(full) && (incremental === undefined || isMoment(incremental));
}

/** Throws BACKUP_MISSING: what is not an id names no backup. */
export function parseBackupId(text: string): BackupId {
  if (isBackupId(text)) return text;
  throw new BackupError("BACKUP_MISSING", `${JSON.stringify(text)} is not a backup id`, {
    hint: "An id looks like 20261121-193200F; mqbackup list shows those that exist.",
  });
}

export function formatFullId(at: Date): BackupId {
  return parseBackupId(`${formatMoment(at)}F`);
}

/** `base` may itself be an incremental: the id names the full of the chain. */
export function formatIncrementalId(base: BackupId, at: Date): BackupId {
  return parseBackupId(`${chainOf(base)}_${formatMoment(at)}I`);
}

export function kindOf(id: BackupId): BackupKind {
  return id.endsWith("F") ? "full" : "incremental";
}

/** The full at the root of the chain; a full is its own. */
export function chainOf(id: BackupId): BackupId {
  return parseBackupId(id.slice(0, "20261121-193200F".length));
}

/** The last part: the label of this backup alone, e.g. `20261122-020000I`. */
export function ownLabel(id: BackupId): string {
  return id.slice(id.lastIndexOf("_") + 1);
}

export function begunAt(id: BackupId): Date {
  return dateOf(ownLabel(id));
}

/** Oldest first by the second each was begun in, whatever chain it belongs to. */
export function compareBackupIds(a: BackupId, b: BackupId): number {
  return compareText(ownLabel(a), ownLabel(b)) || compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function formatMoment(at: Date): string {
  const [date = "", time = ""] = at.toISOString().split("T");
  return `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
}

function dateOf(moment: string): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(moment) ?? [];
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** The 30th of February is not a moment. */
function isMoment(text: string): boolean {
  const [year, month, day] = [digits(text, 0, 4), digits(text, 4, 6), digits(text, 6, 8)];
  const [hour, minute, second] = [digits(text, 9, 11), digits(text, 11, 13), digits(text, 13, 15)];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function digits(text: string, from: number, to: number): number {
  return Number(text.slice(from, to));
}
