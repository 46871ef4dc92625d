import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { ObjectBody, Store } from "../ports/store.ts";
import { backupKey, committedIds } from "../repository/backup-folder.ts";
import type { Catalog } from "../repository/catalog.ts";
import { ifAllowed } from "../repository/removal.ts";
import { requireFiles } from "../repository/stored-check.ts";
import { Lane } from "./lane.ts";
import type { Roster } from "./roster.ts";

/** Files on their way to one target at once. */
const PUTS_AT_ONCE = 2;

/** One backup that is being made, at one target. Once that is given up nothing more is done there, and no work fails because of it. */
export class Target {
  readonly catalog: Catalog;
  readonly #id: BackupId;
  readonly #roster: Roster;
  readonly #now: () => Date;
  readonly #lane = new Lane(PUTS_AT_ONCE);
  readonly #sizes = new Map<string, number>();
  #onTheWay = 0;
  #busySince = new Date(0);

  constructor(catalog: Catalog, { id, roster, now }: { id: BackupId; roster: Roster; now: () => Date }) {
    this.catalog = catalog;
    this.#id = id;
    this.#roster = roster;
    this.#now = now;
  }

  get store(): Store {
    return this.catalog.store;
  }

  get counts(): boolean {
    return this.#roster.counts(this.store);
  }

  /** Durable when it resolves, or the target was given up. At its own pace. */
  async put(name: string, body: ObjectBody, signal: AbortSignal): Promise<void> {
    await this.#lane.run(async () =>
      this.#orGiveUp(signal, async (during) => {
        this.#begin();
        try {
          await this.store.put(backupKey(this.#id, name), body, { signal: during });
          this.#sizes.set(name, body.bytes);
        } finally {
          this.#end(body.bytes, this.#sizes.has(name));
        }
      }),
    );
  }

  /** Files an earlier run has put. */
  hasAlready(files: readonly VolumeEntry[]): void {
    for (const { name, bytes } of files) this.#sizes.set(name, bytes);
  }

  async remove(names: readonly string[]): Promise<void> {
    if (!this.counts) return;
    for (const name of names) await ifAllowed(async () => this.store.delete(backupKey(this.#id, name)));
  }

  /** Every file that was put is listed there with its size; or the target was given up. */
  async requireWhole(signal: AbortSignal): Promise<void> {
    await this.#orGiveUp(signal, async (during) =>
      requireFiles(this.store, this.#id, this.#sizes, { signal: during }),
    );
  }

  /** Backups that hold messages of this one are there; or the target was given up, as this one would not restore from it. */
  async requireHolders(holders: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await this.#orGiveUp(signal, async (during) => {
      const present = new Set<string>(await committedIds(this.store, { signal: during }));
      for (const id of holders) {
        if (present.has(id)) continue;
        const message = `backup ${id}, which holds messages of this one, is not at ${this.store.location}`;
        throw new BackupError("BACKUP_MISSING", message, {
          hint: "Bring that target up with mqbackup copy, or take a full backup with mqbackup full; or build on a backup that is at every target with --base.",
        });
      }
    });
  }

  /** Throws as `Roster.giveUp`, and the signal's reason. */
  async #orGiveUp(signal: AbortSignal, work: (during: AbortSignal) => Promise<void>): Promise<void> {
    signal.throwIfAborted();
    if (!this.counts) return;
    try {
      await work(AbortSignal.any([signal, this.#roster.leavingOf(this.store)]));
    } catch (error) {
      signal.throwIfAborted();
      this.#roster.giveUp(this.store, error);
    }
  }

  #begin(): void {
    if (this.#onTheWay === 0) this.#busySince = this.#now();
    this.#onTheWay += 1;
  }

  #end(bytes: number, done: boolean): void {
    this.#onTheWay -= 1;
    const now = this.#now();
    this.#roster.putDone(this.store, done ? bytes : 0, this.#onTheWay === 0 ? this.#busySince : now);
  }
}
