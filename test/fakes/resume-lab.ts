import { createHash } from "node:crypto";
import { expect } from "vitest";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import type { Store } from "../../src/ports/store.ts";
import { backup } from "../../src/usecases/backup.ts";
import type {
  BackupDeps,
  BackupEvent,
  BackupRequest,
  BackupResult,
} from "../../src/usecases/backup-types.ts";
import { cat } from "../../src/usecases/cat.ts";
import { list } from "../../src/usecases/list.ts";
import { tempDirectory } from "../lab/temp.ts";
import { backupDeps, backupRequest, everyMessage } from "./backup-lab.ts";
import { failing } from "./failing.ts";
import { HeldQueues } from "./held-queues.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";
import { Life } from "./mortal.ts";
import { messages } from "./sample-backup.ts";
import { verified } from "./verified.ts";

const NEVER = new AbortController().signal;
export const VOLUME = /^backups\/[^/]+\/data-/;

/** Bodies that hardly compress, so that there are many volumes. */
export function noisy(count: number, from = 0): MessageRecord[] {
  return messages(count).map((message, at) => ({
    ...message,
    body: Buffer.from(
      createHash("sha256")
        .update(`${from + at}`)
        .digest("base64"),
    ),
  }));
}

export const QUEUES = { a: noisy(36), b: noisy(16, 100), empty: [] };

export interface Place {
  readonly stores: readonly [MemoryStore, ...MemoryStore[]];
  readonly journals: MemoryStore;
}

export function newPlace(targets = 1): Place {
  const others = Array.from({ length: targets - 1 }, (_, at) => memoryStore(`target ${at + 2}`));
  return { stores: [memoryStore("target 1"), ...others], journals: memoryStore("state") };
}

export interface RunOptions {
  readonly queues?: Readonly<Record<string, readonly MessageRecord[]>>;
  readonly request?: Partial<BackupRequest>;
  readonly deps?: Partial<BackupDeps>;
  readonly life?: Life;
  readonly signal?: AbortSignal;
}

export interface Ended {
  readonly result: BackupResult | null;
  readonly error: unknown;
  readonly events: readonly BackupEvent[];
  /** Volumes put, at the first target. */
  readonly put: readonly string[];
}

/** A run of its own; the broker has delivered everything once more. */
export async function run(place: Place, options: RunOptions = {}): Promise<Ended> {
  await using temp = await tempDirectory();
  const { queues: contents = QUEUES, life, signal = NEVER } = options;
  const queues = new HeldQueues(
    Object.fromEntries(
      Object.entries(contents).map(([name, records]) => [
        name,
        records.map((record) => ({ ...record, redelivered: Math.random() < 0.5 })),
      ]),
    ),
  );
  const wrapped = (store: Store): Store => life?.of(store) ?? store;
  const [first, ...others] = place.stores;
  const counted = failing(first, []);
  const events: BackupEvent[] = [];
  const deps: BackupDeps = {
    ...backupDeps(queues, [wrapped(counted), ...others.map(wrapped)], temp, events),
    journals: wrapped(place.journals),
    ...options.deps,
  };
  const request = backupRequest(Object.keys(contents), { volumeBytes: 1500, ...options.request });
  const [ended] = await Promise.allSettled([backup(deps, request, signal)]);
  expect(queues.held.size).toBe(0);
  return {
    result: ended.status === "fulfilled" ? ended.value : null,
    error: ended.status === "rejected" ? ended.reason : null,
    events,
    put: counted.calls.flatMap((call) => {
      const key = call.replace("put ", "");
      return VOLUME.test(key) ? [key] : [];
    }),
  };
}

export async function bodiesOf(store: Store, id: string): Promise<Record<string, string[]>> {
  const bodies: Record<string, string[]> = {};
  for await (const { queue, body } of cat({ store, codec: inlineCodec({ level: 1 }) }, everyMessage(id)))
    (bodies[queue] ??= []).push(body);
  return bodies;
}

export function expected(
  contents: Readonly<Record<string, readonly MessageRecord[]>>,
): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(contents)
      .filter(([, records]) => records.length > 0)
      .map(([name, records]) => [name, records.map(({ body }) => Buffer.from(body).toString())]),
  );
}

/** Whatever is listed at every target restores, and holds these messages. Gives how many there are at the first. */
export async function expectSound(place: Place, contents = QUEUES): Promise<number> {
  const counts: number[] = [];
  for (const store of place.stores) {
    if (!store.objects.has("mqbackup-repository.json")) continue;
    const { backups, damaged } = await list({ store }, { set: null });
    expect(damaged).toEqual([]);
    const { findings } = await verified(store);
    expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
    for (const { id } of backups) expect(await bodiesOf(store, id)).toEqual(expected(contents));
    counts.push(backups.length);
  }
  return counts[0] ?? 0;
}

export function names({ objects }: MemoryStore, pattern: RegExp): string[] {
  return [...objects.keys()].filter((key) => pattern.test(key)).toSorted();
}

/** A run that dies when so many volumes are at the targets. */
export async function killedAfter(place: Place, volumes: number): Promise<void> {
  const calls = volumes * place.stores.length;
  await run(place, {
    life: new Life(calls, "after", (call) => call.includes("/data-") && call.startsWith("put b")),
  });
  expect(names(place.stores[0], VOLUME).length).toBeGreaterThanOrEqual(volumes);
}
