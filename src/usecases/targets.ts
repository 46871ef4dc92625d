import type { BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import type { Manifest, VolumeEntry } from "../domain/manifest.ts";
import type { ObjectBody } from "../ports/store.ts";
import { createCatalog, type Catalog, type ClaimRequest } from "../repository/catalog.ts";
import type { Roster } from "./roster.ts";
import { Target } from "./target.ts";

/** Ids tried until one is free at every target. */
const CLAIM_TRIES = 10;

/** What an interrupted run has left at the targets. */
export interface Leftovers {
  /** The backup to go on with, which `catalogs` have adopted; null: a new one is begun. */
  settle(catalogs: readonly Catalog[], signal: AbortSignal): Promise<BackupId | null>;
}

const NOTHING_LEFT: Leftovers = { settle: async () => Promise.resolve(null) };

export interface TargetsDeps {
  newRepositoryId(): string;
  now(): Date;
}

/**
 * One backup at every target that counts, in two phases: everything durable everywhere, then the manifests, in the order of the targets.
 * A target that fails in the first phase is given up, if the roster can do without it. Disposing removes what was put where it was
 * not committed.
 */
export class Targets implements AsyncDisposable {
  readonly id: BackupId;
  readonly #roster: Roster;
  readonly #targets: readonly Target[];
  readonly #committed = new Set<Target>();
  readonly #failing = new AbortController();
  #leaves = false;
  #isCommitting = false;

  private constructor(id: BackupId, roster: Roster, targets: readonly Target[]) {
    this.id = id;
    this.#roster = roster;
    this.#targets = targets;
  }

  /**
   * Opens or makes the repositories and takes one id at all of them, or that of a backup `leftovers` says to go on with. Throws
   * LEASE_HELD, and as `Roster.giveUp`.
   */
  static async claim(
    deps: TargetsDeps,
    roster: Roster,
    request: ClaimRequest,
    signal: AbortSignal,
    leftovers: Leftovers = NOTHING_LEFT,
  ): Promise<Targets> {
    const catalogs: Catalog[] = [];
    for (const store of roster.standing) {
      try {
        const document = { now: request.now, repositoryId: deps.newRepositoryId() };
        catalogs.push(await createCatalog(store, document, { signal }));
      } catch (error) {
        signal.throwIfAborted();
        roster.giveUp(store, error);
      }
    }
    const now = (): Date => deps.now();
    const made = (id: BackupId, taken: readonly Catalog[]): Targets =>
      new Targets(
        id,
        roster,
        taken.map((catalog) => new Target(catalog, { id, roster, now })),
      );
    const begun = await leftovers.settle(catalogs, signal);
    if (begun !== null) return made(begun, catalogs);
    for (let attempt = 0; attempt < CLAIM_TRIES; attempt += 1) {
      const claim = await claimOnce(roster, catalogs, request, signal);
      if (claim !== null) return made(claim.id, claim.taken);
    }
    throw new BackupError("LEASE_HELD", "no id is free at every target for a backup begun now", {
      hint: "Another run writes to these targets; try again in a moment.",
    });
  }

  /** Durable at every target that counts when it resolves. */
  async put(name: string, body: ObjectBody, signal: AbortSignal): Promise<void> {
    const during = AbortSignal.any([signal, this.#failing.signal]);
    await this.#each(async (target) => target.put(name, body, during));
  }

  /** Files that are there since before; `requireWhole` looks for them too. */
  haveAlready(files: readonly VolumeEntry[]): void {
    for (const target of this.#targets) target.hasAlready(files);
  }

  /** Files of this backup that no manifest will name. What cannot be removed is noted by `verify`. */
  async remove(names: readonly string[]): Promise<void> {
    await Promise.all(this.#targets.map(async (target) => target.remove(names).catch(() => undefined)));
  }

  /** What was put stays when this is disposed of. */
  leave(): void {
    this.#leaves = true;
  }

  /** Asks every target whether it has what was put, as far as a listing tells. Throws as `Roster.giveUp`. */
  async requireWhole(signal: AbortSignal): Promise<void> {
    await this.#each(async (target) => target.requireWhole(signal));
  }

  /** Every backup that holds records for this one must be at every target that counts. Throws BACKUP_MISSING, and as `Roster.giveUp`. */
  async requireHolders(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const holders = new Set(
      manifest.queues.flatMap(({ content }) =>
        content.flatMap((range) => (range.kind === "kept" ? [range.backup] : [])),
      ),
    );
    if (holders.size > 0) await this.#each(async (target) => target.requireHolders(holders, signal));
  }

  /** After the first target has it the backup exists, whatever becomes of the others: where it fails then it is left unfinished. */
  async commit(manifest: Manifest, onCommitted: (location: string) => void): Promise<void> {
    this.#isCommitting = true;
    for (const target of this.#targets.filter(({ counts }) => counts)) {
      const { catalog, store } = target;
      try {
        await catalog.commit(manifest);
      } catch (error) {
        if (this.#committed.size === 0 || !(error instanceof BackupError)) this.#roster.giveUp(store, error);
        else this.#roster.leaveUnfinished(store, error);
        continue;
      }
      this.#committed.add(target);
      onCommitted(store.location);
    }
  }

  /** Whatever failed since, a target may have the manifest. */
  get isCommitting(): boolean {
    return this.#isCommitting;
  }

  /** Targets that have it. */
  get copies(): number {
    return this.#committed.size;
  }

  /** Total bytes of the first target's file system; null where it cannot be told. */
  async totalBytes(signal: AbortSignal): Promise<number | null> {
    return this.#roster.withFirst(async (store) => (await store.capacity({ signal }))?.totalBytes ?? null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#leaves) return;
    const left = this.#targets.filter(
      (target) => !this.#committed.has(target) && !this.#roster.isUnfinished(target.store),
    );
    // What cannot be removed now is no backup: no manifest names it, and verify notes it.
    await Promise.all(left.map(async ({ catalog }) => catalog.abandon(this.id).catch(() => undefined)));
  }

  /** At all at once. One failure that counts ends it for all. */
  async #each(work: (target: Target) => Promise<void>): Promise<void> {
    const all = this.#targets.map(async (target) => {
      try {
        await work(target);
      } catch (error) {
        this.#failing.abort(error);
        throw error;
      }
    });
    const failed = (await Promise.allSettled(all)).some(({ status }) => status === "rejected");
    if (failed) throw this.#failing.signal.reason;
  }
}

/** null: the id is taken at one of them. */
async function claimOnce(
  roster: Roster,
  catalogs: readonly Catalog[],
  request: ClaimRequest,
  signal: AbortSignal,
): Promise<{ readonly id: BackupId; readonly taken: readonly Catalog[] } | null> {
  let id: BackupId | null = null;
  const taken: Catalog[] = [];
  const abandon = async (): Promise<void> => {
    for (const catalog of taken) if (id !== null) await catalog.abandon(id).catch(() => undefined);
  };
  try {
    for (const catalog of catalogs.filter(({ store }) => roster.counts(store))) {
      try {
        if (id === null) id = await catalog.claim(request, { signal });
        else if (!(await catalog.reserve(id, request.now, { signal }))) {
          await abandon();
          return null;
        }
        taken.push(catalog);
      } catch (error) {
        signal.throwIfAborted();
        roster.giveUp(catalog.store, error);
      }
    }
  } catch (error) {
    await abandon();
    throw error;
  }
  return id === null ? null : { id, taken };
}
