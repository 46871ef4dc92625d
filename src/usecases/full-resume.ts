import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import { inPlaces, isRecent, ordinalsFor, type VolumeContents } from "../domain/full-resume.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { Runs } from "../ports/runs.ts";
import type { Store } from "../ports/store.ts";
import { BEGUN_NAME } from "../repository/backup-folder.ts";
import type { Catalog } from "../repository/catalog.ts";
import {
  FullJournal,
  type FullBegun,
  type JournalledVolume,
  type OrdinalQueue,
} from "../repository/full-journal.ts";
import { ShippedSegments, type VolumeSegment } from "../repository/shipped-segments.ts";
import { volumeNumber } from "../repository/volume.ts";
import { hasNewer, leftAt, removeLeft } from "./full-leftovers.ts";
import { FullNotes } from "./full-notes.ts";
import type { Leftovers, Targets } from "./targets.ts";
import type { Held } from "./with-lease.ts";

/** A full goes on with what an interrupted one has shipped. */
export interface ResumedEvent {
  readonly kind: "resumed";
  readonly id: BackupId;
  readonly volumes: number;
  readonly bytes: number;
}

/** What came of that. */
export interface Resumed {
  /** Volumes of the interrupted run that are part of the backup, their bytes, and the segments taken from them. */
  readonly volumes: number;
  readonly bytes: number;
  readonly segments: number;
  /** Of these bytes, those of segments that were not taken: the queues do not hold any more what they hold. */
  readonly unusedBytes: number;
}

export interface FullResumeDeps {
  /** Where it is noted how far a full came; null: nowhere. */
  readonly journals: Store | null;
  readonly runs: Pick<Runs, "newLeaseId">;
  now(): Date;
  report(event: ResumedEvent): void;
}

interface Adopted {
  readonly begun: FullBegun;
  readonly volumes: readonly JournalledVolume[];
  readonly shipped: ShippedSegments;
  /** Greater than that of any volume that may be on its way to a target. */
  readonly firstVolume: number;
  /** Names of what lies at targets. */
  readonly names: ReadonlySet<string>;
}

/** After these nothing stays for the next run: it was promised so, or what was stored may be wrong, or it would keep a disk full. */
const LEAVES_NOTHING = ["INTERRUPTED", "INTERNAL", "TARGET_FULL"] as const;

/**
 * What an interrupted full has left, and what this one leaves if it breaks off. Disposing forgets what was noted of the backup, unless
 * it is left for the next full.
 */
export class FullResume implements AsyncDisposable, Leftovers {
  readonly #deps: FullResumeDeps;
  readonly #set: string;
  readonly #resumable: boolean;
  readonly #held: Pick<Held, "assertHeld">;
  #notes: FullNotes | null = null;
  #begun: Omit<FullBegun, "run"> | null = null;
  #adopted: Adopted | null = null;
  #queues: readonly OrdinalQueue[] = [];
  #shipped = { volumes: 0, bytes: 0 };
  #isEnding = false;
  #leaves = false;

  /**
   * `resumable`: a full that removes nothing from its queues and is not encrypted, as its key is noted nowhere. Other runs remove what is
   * left of one.
   */
  constructor(
    deps: FullResumeDeps,
    request: { readonly set: string; readonly resumable: boolean },
    held: Pick<Held, "assertHeld">,
  ) {
    this.#held = held;
    this.#deps = deps;
    this.#set = request.set;
    this.#resumable = request.resumable;
  }

  /** Under the lease. Throws the signal's reason: what is wrong with a target shows when it is written to. */
  async settle(catalogs: readonly Catalog[], signal: AbortSignal): Promise<BackupId | null> {
    const { journals, runs } = this.#deps;
    if (journals === null) return null;
    const repositories = catalogs.map(({ repository }) => repository.id);
    const journal = new FullJournal(journals, this.#set, repositories);
    this.#notes = new FullNotes(journal, runs.newLeaseId(), async () => this.#held.assertHeld());
    try {
      this.#adopted = await this.#adopt(this.#notes, catalogs, signal);
    } catch (error) {
      this.#notes.leave();
      signal.throwIfAborted();
      if (!(error instanceof BackupError)) throw error;
    }
    return this.#adopted?.begun.backup ?? null;
  }

  /** The backup is claimed, or gone on with. Gives when it was begun: the manifest's `startedAt`. */
  begin(backup: BackupId, now: Date): Date {
    this.#begun = this.#adopted?.begun ?? { backup, startedAt: now };
    return this.#begun.startedAt;
  }

  /** For the archive writer. */
  get archiveOptions(): { readonly firstVolume?: number; readonly shipped?: ShippedSegments } {
    if (this.#adopted === null) return {};
    const { firstVolume, shipped } = this.#adopted;
    return { firstVolume, shipped };
  }

  /** One for each of the queues. */
  ordinals(queues: readonly QueueAddress[]): readonly number[] {
    const known = this.#adopted?.volumes.flatMap((volume) => volume.queues) ?? [];
    const ordinals = ordinalsFor(queues, known);
    this.#queues = queues.map(({ vhost, name }, at) => ({ ordinal: ordinals[at] ?? 0, vhost, name }));
    return ordinals;
  }

  /** Before a volume is put. Throws LEASE_HELD: another run has taken the backup over. */
  async putting(file: VolumeEntry, segments: readonly VolumeSegment[]): Promise<void> {
    if (!this.#resumable || this.#notes === null || this.#begun === null) return;
    // A backup of one volume is not worth a note.
    if (this.#isEnding && this.#notes.count === 0 && this.#adopted === null) return;
    await this.#notes.note(this.#begun, file, { queues: this.#queues, segments });
  }

  /** It is at every target that counts. */
  put({ bytes }: VolumeEntry): void {
    const { volumes, bytes: before } = this.#shipped;
    this.#shipped = { volumes: volumes + 1, bytes: before + bytes };
  }

  /** All is read: volumes that come now are the last. */
  ending(): void {
    this.#isEnding = true;
  }

  /** As the manifest has it; `contents` with the new volumes, by the numbers in their names. */
  complete(contents: VolumeContents): VolumeContents {
    if (this.#adopted === null) return contents;
    const used = this.#adopted.shipped.used();
    const volumes = [
      ...used.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
      ...contents.volumes,
    ];
    const numbers = volumes.map(({ name }) => volumeNumber(name) ?? 0);
    return inPlaces(numbers, { ...contents, volumes });
  }

  /** Before the commit, with the files the manifest names: what else there is goes, and the others will be looked for again. */
  async clear(targets: Targets, files: readonly VolumeEntry[]): Promise<void> {
    if (this.#adopted === null) return;
    const named = new Set([BEGUN_NAME, ...files.map(({ name }) => name)]);
    targets.haveAlready(this.#adopted.shipped.used());
    await targets.remove([...this.#adopted.names].filter((name) => !named.has(name)));
  }

  /** null: nothing was gone on with. */
  get outcome(): Resumed | null {
    if (this.#adopted === null) return null;
    const { shipped } = this.#adopted;
    const used = shipped.used();
    const bytes = used.reduce((sum, volume) => sum + volume.bytes, 0);
    return { volumes: used.length, bytes, segments: shipped.count, unusedBytes: shipped.unusedBytes };
  }

  get warnings(): readonly string[] {
    const failure = this.#notes?.failure ?? null;
    if (failure === null) return [];
    return [
      `it could not be noted how far the backup came, for the case that it breaks off: ${failure.message}`,
    ];
  }

  /** The run has failed before its commit: decides what stays at the targets. Gives the error to tell. */
  async brokenOff(error: unknown, targets: Targets): Promise<unknown> {
    const isOwn = (await this.#notes?.isOwn()) ?? true;
    const before = this.#adopted?.volumes ?? [];
    const volumes = before.length + this.#shipped.volumes;
    const isNoted = before.length + (this.#notes?.count ?? 0) > 0 && this.#notes?.failure === null;
    const isForNext =
      error instanceof BackupError && !hasCode(error, ...LEAVES_NOTHING) && !targets.isCommitting;
    if (isOwn && !(isForNext && isNoted && volumes > 0)) return error;
    this.#leaves = true;
    targets.leave();
    if (!isOwn || !isForNext) return error;
    return explained(
      error,
      volumes,
      before.reduce((sum, { bytes }) => sum + bytes, this.#shipped.bytes),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Notes that stay are of a backup that is committed, or gone: the next run finds that out.
    if (!this.#leaves) await this.#notes?.forget().catch(() => undefined);
  }

  /** null: a new backup is begun. What is left of the other is removed if it is of no use, as it is of nobody's else. */
  async #adopt(notes: FullNotes, catalogs: readonly Catalog[], signal: AbortSignal): Promise<Adopted | null> {
    const found = await notes.takeOver();
    if (found === null) return null;
    const { begun } = found;
    const { backup } = begun;
    const left = await Promise.all(catalogs.map(async (catalog) => leftAt(catalog, begun, { signal })));
    const volumes = found.volumes.filter(({ name, bytes }) =>
      left.every(({ objects }) => objects.get(name)?.bytes === bytes),
    );
    const isUsable =
      this.#resumable &&
      volumes.length > 0 &&
      left.every(({ isIts, committed }) => isIts && !committed) &&
      isRecent(begun.startedAt, this.#deps.now()) &&
      !(await hasNewer(catalogs, this.#set, backup, { signal }));
    if (!isUsable) {
      if (!left.some(({ committed }) => committed))
        for (const each of left) await removeLeft(each, { signal });
      await notes.forget();
      return null;
    }
    for (const catalog of catalogs) catalog.adopt(backup);
    const bytes = volumes.reduce((sum, volume) => sum + volume.bytes, 0);
    this.#deps.report({ kind: "resumed", id: backup, volumes: volumes.length, bytes });
    return {
      begun,
      volumes,
      shipped: new ShippedSegments(volumes),
      firstVolume: Math.max(...found.volumes.map(({ number }) => number)) + 1,
      names: new Set(left.flatMap(({ objects }) => [...objects.keys()])),
    };
  }
}

function explained(error: BackupError, volumes: number, bytes: number): BackupError {
  const what = volumes === 1 ? "1 volume" : `${volumes} volumes`;
  const verb = volumes === 1 ? "stays" : "stay";
  const stays = `${what} of it, ${Math.ceil(bytes / 2 ** 20)} MiB, ${verb} at the targets: a full within a day goes on with that.`;
  const hint = error.hint === undefined || error.hint === "" ? stays : `${error.hint} ${stays}`;
  return new BackupError(error.code, error.message, { hint, cause: error.cause });
}
