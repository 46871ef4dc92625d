import { kindOf, parseBackupId } from "../../src/domain/backup-id.ts";
import type { ContentRange, Manifest, QueueEntry } from "../../src/domain/manifest.ts";
import type { RetentionPolicy } from "../../src/domain/retention-policy.ts";
import type { Store } from "../../src/ports/store.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { decodeManifest, encodeManifest } from "../../src/repository/manifest-codec.ts";
import type { PruneRequest } from "../../src/usecases/prune-plan.ts";
import type { PruneDeps, PruneEvent } from "../../src/usecases/prune-removal.ts";
import { newRun } from "./fake-runs.ts";
import { leaseDeps } from "./lease-lab.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";
import { REPOSITORY, tinyBackup, writeBackup } from "./sample-backup.ts";

/** One of which only the manifest is real: its files have the sizes that this says. */
export interface Stub {
  readonly id: string;
  readonly set?: string;
  /** Default: the time in the id. */
  readonly startedAt?: Date;
  /** Ids of backups that hold messages of it: so many of each. */
  readonly needs?: Readonly<Record<string, number>>;
  readonly queue?: Partial<QueueEntry>;
  readonly more?: Partial<Manifest>;
}

interface PruneLab {
  readonly store: MemoryStore;
  readonly put: (stub: Stub) => void;
}

/** An empty repository, and a manifest to make others of. */
export async function pruneLab(location?: string): Promise<PruneLab> {
  const template = await writeBackup(await createCatalog(memoryStore(), REPOSITORY), tinyBackup());
  const store = memoryStore(location);
  await createCatalog(store, REPOSITORY);
  return { store, put: (stub) => putStub(store, template, stub) };
}

function putStub(store: MemoryStore, template: Manifest, stub: Stub): void {
  const { id, set = "nightly", startedAt = timeOf(id), needs = {}, more = {} } = stub;
  const kept: ContentRange[] = Object.entries(needs).map(([backup, count]) => {
    return { kind: "kept", backup, ordinal: 1, first: 0, count };
  });
  const [queue] = template.queues;
  if (queue === undefined) throw new Error("the template has no queue");
  const content = [...queue.content, ...kept];
  const messages = content.reduce((sum, { count }) => sum + count, 0);
  const kind = kindOf(parseBackupId(id));
  const base = kind === "full" ? null : `${id.slice(0, 16)}_20000101-000000I`;
  const at = startedAt.toISOString();
  const queues = [{ ...queue, content, messages, ...stub.queue }];
  const manifest = { ...template, id, kind, base, set, startedAt: at, finishedAt: at, queues, ...more };
  for (const { name, bytes } of [...manifest.volumes, manifest.index]) {
    store.objects.set(`backups/${id}/${name}`, { bytes: Buffer.alloc(bytes), modifiedAt: startedAt });
  }
  const bytes = Buffer.from(encodeManifest(manifest));
  store.objects.set(`backups/${id}/manifest.json`, { bytes, modifiedAt: startedAt });
}

function timeOf(id: string): Date {
  const [, y, mo, d, h, mi, s] = /(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d).$/.exec(id) ?? [];
  return new Date(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}

/** Ids of the backups that are listed, in order. */
export function listed({ objects }: MemoryStore): string[] {
  return [...objects.keys()]
    .flatMap((key) => /^backups\/([^/]+)\/manifest\.json$/.exec(key)?.[1] ?? [])
    .toSorted();
}

const decoded = new WeakMap<Uint8Array, Manifest>();

function manifestOf({ objects }: MemoryStore, id: string): Manifest | null {
  const bytes = objects.get(`backups/${id}/manifest.json`)?.bytes;
  if (bytes === undefined) return null;
  const manifest = decoded.get(bytes) ?? decodeManifest(bytes, id);
  decoded.set(bytes, manifest);
  return manifest;
}

/** What listed backups need to restore and that is not there: must be none. */
export function unrestorable(store: MemoryStore): string[] {
  return listed(store).flatMap((id) => {
    const queues = manifestOf(store, id)?.queues ?? [];
    const ranges = queues.flatMap(({ content }) => content);
    const holders = ranges.flatMap((range) => (range.kind === "kept" ? [range.backup] : []));
    return [id, ...new Set(holders)].flatMap((holder) =>
      lacking(store, holder).map((key) => `${id} needs ${key}`),
    );
  });
}

function lacking(store: MemoryStore, id: string): string[] {
  const manifest = manifestOf(store, id);
  if (manifest === null) return [`backups/${id}/manifest.json`];
  const keys = [...manifest.volumes, manifest.index].map(({ name }) => `backups/${id}/${name}`);
  return keys.filter((key) => !store.objects.has(key));
}

const KEEP_NOTHING: RetentionPolicy = {
  last: null,
  periods: { hourly: null, daily: null, weekly: null, monthly: null, yearly: null },
  withinMs: null,
  full: null,
};

export function pruneRequest(
  policy: Partial<RetentionPolicy>,
  more: Partial<PruneRequest> = {},
): PruneRequest {
  const whole = { ...KEEP_NOTHING, ...policy };
  return { set: null, confirmed: true, breakLease: false, ...more, policy: whole };
}

/** At a moment that stands still. */
export function pruneDeps(store: Store, now: Date, events: PruneEvent[] = []): PruneDeps {
  const lab = leaseDeps();
  const sleep: PruneDeps["sleep"] = async (ms, signal) => lab.sleep(ms, signal);
  return { store, runs: newRun(), now: () => now, sleep, report: (event) => events.push(event) };
}
