import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { FullBegun, FullJournal, JournalledVolume, OrdinalQueue } from "../repository/full-journal.ts";
import type { VolumeSegment } from "../repository/shipped-segments.ts";
import { volumeNumber } from "../repository/volume.ts";

/**
 * How far a full backup came, noted while it is made. Every volume is noted before it is put; after that, and before it is put, the run
 * looks whether the backup is still its own: whoever takes it over does so first and reads the notes then, so that no volume is put
 * under a number that another run gives.
 */
export class FullNotes {
  readonly #journal: FullJournal;
  readonly #run: string;
  readonly #assertHeld: () => Promise<void>;
  #isTaken = false;
  #lane: Promise<void> = Promise.resolve();
  #count = 0;
  #failure: BackupError | null = null;

  /** `assertHeld`: throws when the lease is lost, as it is to a run that takes over. */
  constructor(journal: FullJournal, run: string, assertHeld: () => Promise<void>) {
    this.#journal = journal;
    this.#run = run;
    this.#assertHeld = assertHeld;
  }

  /** How many volumes this run has noted. */
  get count(): number {
    return this.#count;
  }

  /** Why no more is noted; null: all is. */
  get failure(): BackupError | null {
    return this.#failure;
  }

  /** The backup another run has begun, which is this run's now, and its volumes; null: there is none. Throws TARGET_*. */
  async takeOver(): Promise<{
    readonly begun: FullBegun;
    readonly volumes: readonly JournalledVolume[];
  } | null> {
    const found = await this.#journal.begun();
    if (found === null) return null;
    const begun = { ...found, run: this.#run };
    await this.#journal.take(begun);
    this.#isTaken = true;
    return { begun, volumes: await this.#journal.volumes(begun.backup) };
  }

  /** What was taken over stays as it is noted. */
  leave(): void {
    this.#isTaken = false;
  }

  /** Before a volume is put. That it cannot be noted is a `failure`. Throws LEASE_HELD: another run has taken the backup over. */
  async note(
    begun: Omit<FullBegun, "run">,
    file: VolumeEntry,
    contents: { readonly queues: readonly OrdinalQueue[]; readonly segments: readonly VolumeSegment[] },
  ): Promise<void> {
    const noting = this.#lane.then(async () => this.#note(begun, file, contents));
    this.#lane = noting.catch(() => undefined);
    await noting;
  }

  /** False as well when the note of it is gone, or cannot be read: then another run may have it. */
  async isOwn(): Promise<boolean> {
    await this.#lane;
    return (await this.#owner()) === "this";
  }

  async forget(): Promise<void> {
    if (this.#isTaken) await this.#journal.remove();
    this.#isTaken = false;
  }

  async #note(
    begun: Omit<FullBegun, "run">,
    { name, bytes, sha256 }: VolumeEntry,
    contents: { readonly queues: readonly OrdinalQueue[]; readonly segments: readonly VolumeSegment[] },
  ): Promise<void> {
    const number = volumeNumber(name);
    if (number === null || this.#failure !== null) return;
    try {
      if (!this.#isTaken) await this.#journal.take({ ...begun, run: this.#run });
      this.#isTaken = true;
      await this.#journal.note(begun.backup, { number, name, bytes, sha256, ...contents });
      this.#count += 1;
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      this.#failure = error;
      return;
    }
    const owner = await this.#owner();
    if (owner === "another") throw takenOver(begun.backup);
    if (owner === "this") return;
    await this.#assertHeld();
    this.#failure = new BackupError("TARGET_FAILED", `what was noted in ${this.#journal.location} is gone`);
  }

  async #owner(): Promise<"this" | "another" | "unknown"> {
    if (!this.#isTaken) return "this";
    const begun = await this.#journal.begun().catch(() => null);
    if (begun === null) return "unknown";
    return begun.run === this.#run ? "this" : "another";
  }
}

function takenOver(backup: BackupId): BackupError {
  return new BackupError(
    "LEASE_HELD",
    `backup ${backup} is not this run's any more: another one has taken it over`,
    {
      hint: "The other run has the lease on the set; let it finish.",
    },
  );
}
