import { BackupError } from "../domain/errors.ts";
import { lossOf } from "../domain/loss.ts";
import { FORMAT, type Gap, type Manifest } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { QueueCursor } from "../ports/queue-reader.ts";
import type { ArchiveWriter } from "../repository/archive-writer.ts";
import type { ClaimRequest } from "../repository/catalog.ts";
import type { IndexWriter } from "../repository/index-writer.ts";
import { watchAlarms } from "./alarm-watch.ts";
import type { BackupDeps, BackupRequest, Removal } from "./backup-types.ts";
import { BackupSealing } from "./backup-sealing.ts";
import type { BaseBackup } from "./base-backup.ts";
import { keepBase } from "./base-keeping.ts";
import type { CaptureContext } from "./capture-context.ts";
import { capture, type Captured } from "./capture.ts";
import { millisecondsBetween } from "../domain/time.ts";
import { FullResume, type Resumed } from "./full-resume.ts";
import { refuseEmpty } from "./nothing-read.ts";
import { NewArchive } from "./new-archive.ts";
import { paceOf } from "./pace.ts";
import { collectDefinitions, type Survey } from "./survey.ts";
import type { Roster } from "./roster.ts";
import { Targets } from "./targets.ts";
import type { Held } from "./with-lease.ts";

export interface Taken {
  readonly manifest: Manifest;
  readonly warnings: readonly string[];
  readonly removals: readonly Removal[];
  /** Drain: ready messages left behind the cut of a queue, by ordinal. */
  readonly leftOver: ReadonlyMap<number, number>;
  /** null: nothing of an interrupted run was gone on with. */
  readonly resumed: Resumed | null;
}

export interface TakeRequest extends BackupRequest {
  readonly set: string;
  /** What an incremental builds on; null: a full. */
  readonly over: BaseBackup | null;
}

/** How many messages of a queue one backup takes. */
export type AtMost = (queue: QueueAddress) => number;

/**
 * One committed backup of the queues surveyed: read, ship, commit; with drain, remove. `atMost` null: all that is ready.
 * Whatever fails before the commit leaves queues as they were and nothing at the targets, or what the next full can go on with.
 * Throws the reason when no queue at all could be read, LEASE_HELD, and TARGET_*.
 */
export async function take(
  deps: BackupDeps,
  request: TakeRequest,
  surveyed: Survey,
  atMost: AtMost | null,
  held: Held,
  roster: Roster,
): Promise<Taken> {
  const { signal } = held;
  const startedAt = deps.now();
  const definitions = await collectDefinitions(deps.directory, surveyed.verdicts, signal);
  // One queue's failure to be stored ends the reading of all.
  const failing = new AbortController();
  const run: Stop = {
    signal: AbortSignal.any([signal, failing.signal]),
    abort: (error) => failing.abort(error),
  };
  const { over } = request;
  const { set, drain } = request;
  const resumable = over === null && !drain && deps.encryption === null;
  await using resume = new FullResume(deps, { set, resumable }, held);
  await using targets = await Targets.claim(deps, roster, claimOf(over, startedAt), signal, resume);
  const begunAt = resume.begin(targets.id, startedAt);
  deps.report({ kind: "begun", id: targets.id });
  const sealing = await BackupSealing.begin(deps.encryption, { signal });
  const { volumeBytes, spoolMaxBytes } = request;
  await using made = new NewArchive(deps, {
    targets,
    volumeBytes,
    spoolMaxBytes,
    modifiedAt: begunAt,
    sealing,
    signal: run.signal,
    resume,
  });
  const { archive, index } = made;
  const captured: Captured[] = [];
  try {
    const stored = [];
    for (const each of definitions) stored.push(await archive.addDefinitions(each));
    await captureAll(deps, request, surveyed, { archive, index, atMost, run, resume }, captured);
    signal.throwIfAborted();
    const entries = captured.map(({ entry }) => entry);
    refuseEmpty(entries);
    const readEndAt = deps.now();
    const needs = await over?.references(entries, { signal: run.signal });
    const { index: indexFile, volumes } = await made.finish();
    const contents = resume.complete({ queues: entries, definitions: stored, volumes });
    const files = [...contents.volumes, indexFile];
    const finishedAt = deps.now();
    const manifest: Manifest = {
      format: FORMAT,
      tool: request.tool,
      id: targets.id,
      kind: over ? "incremental" : "full",
      base: over?.id ?? null,
      set: request.set,
      startedAt: begunAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      drain: request.drain,
      broker: { ...surveyed.broker, url: request.url, management: surveyed.management },
      ...contents,
      index: indexFile,
      ...(needs === undefined ? {} : { needs }),
      measures: {
        ...sums(captured),
        storedBytes: made.storedBytes + (resume.outcome?.bytes ?? 0),
        targetBytes: await targets.totalBytes(run.signal),
        readMs: millisecondsBetween(startedAt, readEndAt),
        shipMs: millisecondsBetween(readEndAt, finishedAt),
        totalMs: millisecondsBetween(startedAt, finishedAt),
      },
    };
    await resume.clear(targets, files);
    await targets.requireWhole(run.signal);
    await targets.requireHolders(manifest, run.signal);
    await held.assertHeld();
    const { sealed, opened } = made.seal(manifest);
    await targets.commit(sealed, (location) => deps.report({ kind: "committed", id: targets.id, location }));
    const removals = request.drain ? await removeAll(deps, captured, tooFew(targets, roster)) : [];
    const unkept = await keepBase(deps, opened, made.plainIndex);
    return {
      manifest: opened,
      warnings: [...unprotected(captured), ...waited(made), ...resume.warnings, ...unkept],
      resumed: resume.outcome,
      removals,
      leftOver: new Map(captured.map(({ entry, leftOver }) => [entry.ordinal, leftOver])),
    };
  } catch (error) {
    throw await resume.brokenOff(error, targets);
  } finally {
    for (const { cursor } of captured) await cursor?.[Symbol.asyncDispose]();
  }
}

interface Run {
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly atMost: AtMost | null;
  readonly run: Stop;
  readonly resume: FullResume;
}

/** Ends the reading of all queues: the caller's signal, or a failure of our own. */
interface Stop {
  readonly signal: AbortSignal;
  abort(error: unknown): void;
}

/** Several queues at once; `captured` in the order of the survey when it resolves. */
async function captureAll(
  deps: BackupDeps,
  request: TakeRequest,
  { verdicts }: Survey,
  { archive, index, atMost, run, resume }: Run,
  captured: Captured[],
): Promise<void> {
  const reading = new Set<QueueCursor>();
  let stopped: Gap | null = null;
  const context: CaptureContext = {
    reader: deps.reader,
    codec: deps.codec,
    base: request.over,
    archive,
    index,
    pace: paceOf(request.rate, deps),
    report: (event) => deps.report(event),
    request,
    atMost,
    reading,
    stopped: () => stopped,
    now: () => deps.now(),
    signal: run.signal,
  };
  const watch = new AbortController();
  const watching = deps.directory
    ? watchAlarms(deps.directory, reading, (gap) => (stopped = gap), deps, watch.signal)
    : Promise.resolve();
  const ordinals = resume.ordinals(verdicts.map(({ queue }) => queue));
  const waiting = verdicts.map((verdict, i) => ({ verdict, ordinal: ordinals[i] ?? 0 }));
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      captured.push(await capture(next.verdict, next.ordinal, context));
    }
  };
  try {
    const workers = Array.from({ length: Math.max(1, request.parallel) }, async () => {
      await worker().catch((error: unknown) => {
        run.abort(error);
        throw error;
      });
    });
    const failed = (await Promise.allSettled(workers)).find((each) => each.status === "rejected");
    if (failed) throw run.signal.reason ?? failed.reason;
  } finally {
    watch.abort();
    await watching;
  }
  captured.sort((a, b) => a.entry.ordinal - b.entry.ordinal);
}

/** An incremental's id is later than its base's, whatever the clock says: ids sort as chains grow. */
function claimOf(base: BaseBackup | null, now: Date): ClaimRequest {
  if (base === null) return { kind: "full", base: null, now };
  const earliest = base.begunAt.getTime() + 1000;
  return { kind: "incremental", base: base.id, now: new Date(Math.max(now.getTime(), earliest)) };
}

/** Why nothing is removed from any queue: the backup is not where it was to be. */
function tooFew({ copies }: Targets, { minCopies }: Roster): BackupError | null {
  if (copies >= minCopies) return null;
  const message = `the backup is at ${copies} of the ${minCopies} targets that were to have it; the messages stay on the queue`;
  return new BackupError("TARGET_FAILED", message);
}

/** After the commit: what was captured is removed from its queue. `refusal`: why it is not. */
async function removeAll(
  deps: BackupDeps,
  captured: readonly Captured[],
  refusal: BackupError | null,
): Promise<Removal[]> {
  const removals: Removal[] = [];
  for (const { entry, cursor } of captured) {
    if (!cursor) continue;
    const queue = { vhost: entry.vhost, name: entry.name };
    let failure = refusal;
    try {
      await cursor.settle(refusal === null ? "consume" : "requeue");
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      failure = error;
    }
    const removal = { queue, failure };
    removals.push(removal);
    deps.report({ kind: "queue-drained", removal });
  }
  return removals;
}

function sums(captured: readonly Captured[]) {
  const entries = captured.map(({ entry }) => entry);
  const { known, lost } = lossOf(entries);
  const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  return {
    messages: total(entries.map((entry) => entry.messages)),
    bodyBytes: total(entries.map((entry) => entry.bodyBytes)),
    plainBytes: total(entries.flatMap((entry) => entry.segments.map((segment) => segment.plainBytes))),
    knownMessages: known,
    lostMessages: lost,
    lossRate: known === 0 ? 0 : lost / known,
    longestHoldMs: Math.max(0, ...entries.map((entry) => entry.holdMs ?? 0)),
  };
}

function waited({ waitedMs }: NewArchive): string[] {
  if (waitedMs === 0) return [];
  return [
    `reading waited ${Math.ceil(waitedMs / 1000)} s for the targets, as the spool had no room for more; queues were held so much longer`,
  ];
}

function unprotected(captured: readonly Captured[]): string[] {
  const count = captured.filter((each) => each.unprotected).length;
  if (count === 0) return [];
  return [
    `${count} ${count === 1 ? "queue was" : "queues were"} read without protection against a second run: the user has no configure permission on mqbackup.lock.*`,
  ];
}
