import type { Durability } from "../domain/durability.ts";
import { hasCode, type BackupError } from "../domain/errors.ts";
import type { TargetOutcome } from "../domain/target-outcome.ts";
import type { Store } from "../ports/store.ts";

/** A run goes on without a target, if enough are left. */
export interface GivenUpEvent {
  readonly kind: "target-given-up";
  readonly location: string;
  readonly why: BackupError;
}

/** What is wrong with one target, and not with the run. That another run is at work there is no fault of the target: it ends the run. */
const OF_TARGET = [
  "TARGET_MISSING",
  "TARGET_REFUSED",
  "TARGET_FULL",
  "TARGET_FAILED",
  "REPOSITORY_MISSING",
  "MANIFEST_DAMAGED",
  "FORMAT_NEWER",
  "BACKUP_MISSING",
] as const;

interface Entry {
  readonly store: Store;
  readonly leaving: AbortController;
  bytes: number;
  ms: number;
  failure: { readonly error: BackupError; readonly result: "given-up" | "unfinished" } | null;
}

/** What the durability asked for means with these targets. */
export function rosterFor(
  deps: RosterDeps,
  [first, ...others]: readonly [Store, ...Store[]],
  durability: Durability,
): { readonly roster: Roster; readonly later: readonly Store[] } {
  if (durability.async) return { roster: new Roster(deps, [first], 1), later: others };
  const { minCopies } = durability;
  return { roster: new Roster(deps, [first, ...others], minCopies ?? others.length + 1), later: [] };
}

interface RosterDeps {
  now(): Date;
  report(event: GivenUpEvent): void;
}

/** The targets of a run: which still count, why others do not, what was put to each. One for the whole run. */
export class Roster {
  /** A backup exists at so many, or not at all. */
  readonly minCopies: number;
  readonly #deps: RosterDeps;
  readonly #entries: readonly Entry[];

  constructor(deps: RosterDeps, stores: readonly [Store, ...Store[]], minCopies: number) {
    this.#deps = deps;
    this.minCopies = minCopies;
    this.#entries = stores.map((store) => ({
      store,
      leaving: new AbortController(),
      bytes: 0,
      ms: 0,
      failure: null,
    }));
  }

  /** Those that still count, in order; at least one. */
  get standing(): readonly [Store, ...Store[]] {
    const [first, ...others] = this.#entries.filter(({ failure }) => failure === null);
    if (first === undefined) throw new Error("no target is left");
    return [first.store, ...others.map(({ store }) => store)];
  }

  counts(store: Store): boolean {
    return this.#entryOf(store).failure === null;
  }

  /** Aborted when the target is given up. */
  leavingOf(store: Store): AbortSignal {
    return this.#entryOf(store).leaving.signal;
  }

  /** From now on the run does without the target. Throws the error when it cannot, or when that is not the target's fault. */
  giveUp(store: Store, error: unknown): void {
    const entry = this.#entryOf(store);
    if (entry.failure !== null) return;
    if (this.standing.length <= this.minCopies || !hasCode(error, ...OF_TARGET)) throw error;
    entry.failure = { error, result: "given-up" };
    this.#deps.report({ kind: "target-given-up", location: store.location, why: error });
    entry.leaving.abort(error);
  }

  /** The backup exists elsewhere; what is there stays, for whoever ends it. */
  leaveUnfinished(store: Store, error: BackupError): void {
    this.#entryOf(store).failure ??= { error, result: "unfinished" };
  }

  isUnfinished(store: Store): boolean {
    return this.#entryOf(store).failure?.result === "unfinished";
  }

  /** Does it with the first that still counts; one that fails at it is given up. Throws as `giveUp`. */
  async withFirst<T>(work: (store: Store) => Promise<T>): Promise<T> {
    for (;;) {
      const [first] = this.standing;
      try {
        return await work(first);
      } catch (error) {
        if (!hasCode(error, "TARGET_MISSING", "TARGET_REFUSED", "TARGET_FULL", "TARGET_FAILED")) throw error;
        this.giveUp(first, error);
      }
    }
  }

  /** Notes that so many bytes took from then until now. */
  putDone(store: Store, bytes: number, since: Date): void {
    const entry = this.#entryOf(store);
    entry.bytes += bytes;
    entry.ms += this.#deps.now().getTime() - since.getTime();
  }

  outcomes(): readonly TargetOutcome[] {
    return this.#entries.map(({ store, bytes, ms, failure }) => ({
      location: store.location,
      result: failure?.result ?? "committed",
      bytes,
      ms,
      error: failure?.error ?? null,
    }));
  }

  #entryOf(store: Store): Entry {
    const entry = this.#entries.find((each) => each.store === store);
    if (entry === undefined) throw new Error(`${store.location} is no target of this run`);
    return entry;
  }
}
