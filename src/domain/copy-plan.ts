import { compareBackupIds, type BackupId } from "./backup-id.ts";
import type { VolumeEntry } from "./manifest.ts";

/** A backup as far as it matters for copying it. */
export interface CopySource {
  readonly id: BackupId;
  /** Its volumes and its index. */
  readonly files: readonly VolumeEntry[];
  /** The backups that hold messages of it. */
  readonly needs: readonly BackupId[];
  readonly marked: boolean;
}

export type FileFault = "missing" | "damaged" | "unreadable";

/** What lies under the id of a backup where it is copied to. */
export interface CopyPresence {
  /** none: no backup yet, whatever else lies there. damaged: this one's, past reading. other: of another backup with this id. */
  readonly manifest: "none" | "same" | "damaged" | "other";
  /** What is wrong with files, by their names; the others are there and whole, as far as was looked. */
  readonly faults: ReadonlyMap<string, FileFault>;
  readonly marked: boolean;
}

export type LeaveReason =
  /** A backup with the same id is there, and it is not the same. */
  | { readonly kind: "other-backup" }
  /** It would not restore there: this one, which holds messages of it, neither is there whole nor can be copied. */
  | { readonly kind: "needs"; readonly backup: BackupId }
  /** A run that is at work there has begun a backup under this id. */
  | { readonly kind: "at-work" }
  /** It was removed from where it is copied from. */
  | { readonly kind: "removed" }
  /** What it is to be copied from is damaged itself, or cannot be read. */
  | { readonly kind: "source"; readonly damaged: boolean; readonly message: string };

export function describeLeave(reason: LeaveReason): string {
  switch (reason.kind) {
    case "other-backup":
      return "what is there under its id is another backup, or past recognition";
    case "needs":
      return `it needs ${reason.backup}, which is not there whole`;
    case "at-work":
      return "a run at work there has begun a backup under this id; run copy again later";
    case "removed":
      return "it was removed from the source meanwhile";
    case "source":
      return `the source ${reason.damaged ? "is damaged" : "cannot be read"}: ${reason.message}`;
  }
}

/** none: all is there. copy: there is no such backup yet. repair: it is there, and not whole. */
export type CopyAction = "none" | "copy" | "repair" | "leave";

export interface CopyStep<Source extends CopySource> {
  readonly source: Source;
  readonly action: CopyAction;
  /** Why it is left; null: it is not. */
  readonly reason: LeaveReason | null;
  /** To be put, with what is wrong there. */
  readonly files: readonly { readonly file: VolumeEntry; readonly fault: FileFault }[];
  /** How the manifest gets there, after the files. */
  readonly manifest: "put" | "replace" | null;
  /** A mark is missing there. */
  readonly mark: boolean;
}

/** Nothing is there. */
export function nothingOf({ files }: CopySource): CopyPresence {
  return { manifest: "none", faults: new Map(files.map(({ name }) => [name, "missing"])), marked: false };
}

/**
 * What is to be done with each backup, in an order in which none comes before one that it needs. `there` are other backups that are
 * at the destination already. Nothing is put that would not restore there.
 */
export function planCopy<Source extends CopySource>(
  sources: readonly Source[],
  presences: ReadonlyMap<BackupId, CopyPresence>,
  there: ReadonlySet<BackupId>,
): readonly CopyStep<Source>[] {
  const sound = new Set(there);
  for (const { id } of sources) sound.delete(id);
  return neededFirst(sources).map((source) => {
    const step = stepFor(source, presences.get(source.id) ?? nothingOf(source), sound);
    if (step.action !== "leave" && lacking(source, sound) === undefined) sound.add(source.id);
    return step;
  });
}

function stepFor<Source extends CopySource>(
  source: Source,
  { manifest, faults, marked }: CopyPresence,
  sound: ReadonlySet<BackupId>,
): CopyStep<Source> {
  const nothing = { source, files: [], manifest: null, mark: false } as const;
  if (manifest === "other") return { ...nothing, action: "leave", reason: { kind: "other-backup" } };
  const lacks = lacking(source, sound);
  if (manifest === "none" && lacks !== undefined)
    return { ...nothing, action: "leave", reason: { kind: "needs", backup: lacks } };
  const files = source.files.flatMap((file) => {
    const fault = faults.get(file.name);
    return fault === undefined ? [] : [{ file, fault }];
  });
  const mark = source.marked && !marked;
  if (manifest === "none") return { source, action: "copy", reason: null, files, manifest: "put", mark };
  const broken = manifest === "damaged" || files.length > 0;
  const action = broken ? "repair" : "none";
  return { source, action, reason: null, files, manifest: manifest === "damaged" ? "replace" : null, mark };
}

function lacking({ needs }: CopySource, sound: ReadonlySet<BackupId>): BackupId | undefined {
  return needs.find((id) => !sound.has(id));
}

/** Oldest first, but none before one that it needs, whatever the clocks said. */
function neededFirst<Source extends CopySource>(sources: readonly Source[]): readonly Source[] {
  const byId = new Map(sources.map((source) => [source.id, source]));
  const seen = new Set<BackupId>();
  const ordered: Source[] = [];
  const place = (source: Source): void => {
    if (seen.has(source.id)) return;
    seen.add(source.id);
    for (const id of source.needs) {
      const needed = byId.get(id);
      if (needed !== undefined) place(needed);
    }
    ordered.push(source);
  };
  for (const source of sources.toSorted((a, b) => compareBackupIds(a.id, b.id))) place(source);
  return ordered;
}
