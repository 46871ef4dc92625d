import { BackupError, hasCode } from "../domain/errors.ts";
import { abandonment, scratchDescription, scratchNames } from "../domain/scratch-host.ts";
import type { QueueWriter } from "../ports/queue-writer.ts";
import type { DrillDeps, DrillResult, NotRemoved } from "./drill-types.ts";

const REMOVAL_MS = 60_000;
/** A broker may still be closing the connections of a virtual host that is to go. */
const REMOVAL_ATTEMPTS = 3;
const TRY_AGAIN_MS = 1000;
/** In a cluster the node that is connected to may come to know the virtual host a little later. */
const KNOWN_WITHIN_MS = 10_000;
const ASK_AGAIN_MS = 200;

/** Removes what drills that were killed have left. Throws as the scratch hosts, but not for one that cannot be removed. */
export async function sweepScratch(
  deps: DrillDeps,
  signal: AbortSignal,
): Promise<Pick<DrillResult, "swept" | "notRemoved">> {
  const swept: string[] = [];
  const notRemoved: NotRemoved[] = [];
  for (const host of await deps.scratch.list({ signal }).catch(rethrowWithHint)) {
    const { name } = host;
    const thought = abandonment(host, deps.now(), (owner) => deps.runs.isGone(owner));
    if (thought === "not-known") continue;
    if (thought === "overdue" && (await deps.scratch.isInUse(name, { signal }))) continue;
    try {
      await deps.scratch.remove(name, { signal });
      swept.push(name);
      deps.report({ kind: "swept", name });
    } catch (error) {
      if (signal.aborted || !(error instanceof BackupError)) throw error;
      notRemoved.push({ name, why: error.message });
      deps.report({ kind: "scratch-left", name, why: error.message });
    }
  }
  return { swept, notRemoved };
}

/** What is said of a management API that is only convenient elsewhere does not help here. */
function rethrowWithHint(error: unknown): never {
  if (!hasCode(error, "MANAGEMENT_UNREACHABLE")) throw error;
  throw new BackupError(error.code, error.message, {
    hint: "A drill makes its virtual host through the management API: look at --management-url and at the broker's management plugin.",
    cause: error,
  });
}

/** The virtual hosts of one drill, one for each of the backup, and the writers into them. */
export class Scratch {
  /** By the virtual host of the backup. */
  readonly names: ReadonlyMap<string, string>;
  /** By scratch virtual host; an `open` one is here, whoever asked for it. */
  readonly writers = new Map<string, QueueWriter>();
  readonly #deps: DrillDeps;
  readonly #made: string[] = [];

  constructor(deps: DrillDeps, vhosts: readonly string[]) {
    this.#deps = deps;
    this.names = scratchNames(deps.newRunId(), vhosts);
  }

  /** Throws as the scratch hosts, and what connecting throws. */
  async make(signal: AbortSignal): Promise<void> {
    const { scratch } = this.#deps;
    for (const [vhost, name] of this.names) {
      await this.#create(name, signal);
      this.#deps.report({ kind: "scratch-made", name, vhost });
      await scratch.permit(name, { signal });
      await this.reopen(name, signal);
    }
  }

  async #create(name: string, signal: AbortSignal): Promise<void> {
    const { scratch, runs } = this.#deps;
    const description = scratchDescription(this.#deps.now(), runs.current);
    try {
      await scratch.create({ name, description }, { signal });
    } catch (error) {
      // Else the broker may have made it, and only the answer was lost.
      if (!hasCode(error, "LOGIN_REFUSED", "MANAGEMENT_REFUSED")) this.#made.push(name);
      throw error;
    }
    this.#made.push(name);
  }

  /** A new writer in place of the one there was. */
  async reopen(name: string, signal: AbortSignal): Promise<QueueWriter> {
    await this.#close(name);
    const deadline = this.#deps.now().getTime() + KNOWN_WITHIN_MS;
    for (;;) {
      try {
        const writer = await this.#deps.openWriter(name, { signal });
        this.writers.set(name, writer);
        return writer;
      } catch (error) {
        if (!hasCode(error, "VHOST_MISSING") || this.#deps.now().getTime() >= deadline) throw error;
        await this.#deps.sleep(ASK_AGAIN_MS, signal);
      }
    }
  }

  /** All of them, however the drill ended; those that could not be removed. */
  async remove(): Promise<readonly NotRemoved[]> {
    for (const name of this.names.values()) await this.#close(name);
    const left: NotRemoved[] = [];
    for (const name of this.#made) {
      const why = await this.#removed(name);
      if (why === null) this.#deps.report({ kind: "scratch-removed", name });
      else left.push({ name, why });
    }
    for (const each of left) this.#deps.report({ kind: "scratch-left", ...each });
    return left;
  }

  /** null: it is gone. An interrupted drill removes it too, so the drill's signal has no say here. */
  async #removed(name: string): Promise<string | null> {
    const signal = this.#deps.deadline(REMOVAL_MS);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#deps.scratch.remove(name, { signal });
        return null;
      } catch (error) {
        if (signal.aborted) return `the broker has not removed it in ${REMOVAL_MS / 1000} seconds`;
        if (!(error instanceof BackupError)) throw error;
        if (attempt === REMOVAL_ATTEMPTS) return error.message;
        await this.#deps.sleep(TRY_AGAIN_MS, signal);
      }
    }
  }

  async #close(name: string): Promise<void> {
    await this.writers.get(name)?.[Symbol.asyncDispose]();
    this.writers.delete(name);
  }
}
