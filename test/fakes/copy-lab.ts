import { createCatalog } from "../../src/repository/catalog.ts";
import type { Store } from "../../src/ports/store.ts";
import { copy } from "../../src/usecases/copy.ts";
import type { CopyDeps, CopyEvent, CopyRequest, CopyResult } from "../../src/usecases/copy-types.ts";
import { leaseDeps } from "./lease-lab.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";
import { newRun } from "./fake-runs.ts";
import { messages, REPOSITORY, writeBackup } from "./sample-backup.ts";
import { writeChain } from "./sample-chain.ts";

export const FULL = "20261121-193200F";
export const MIDDLE = `${FULL}_20261121-194200I`;
export const LAST = `${FULL}_20261121-195200I`;
export const OTHER = "20261122-020000F";

/** A chain of three and another full. */
export async function sampleSource(): Promise<MemoryStore> {
  const store = memoryStore("/source");
  const catalog = await createCatalog(store, REPOSITORY);
  await writeChain(catalog);
  await writeBackup(catalog, {
    now: new Date("2026-11-22T02:00:00Z"),
    queues: [{ name: "q", records: messages(7) }],
  });
  return store;
}

/** By another run each time, which knows that all others have ended. */
export async function runCopy(
  source: Store,
  destinations: Store | readonly Store[],
  request: Partial<CopyRequest> = {},
  { events = [], signal = new AbortController().signal, ...more }: RunOptions = {},
): Promise<CopyResult> {
  const lab = leaseDeps();
  const deps: CopyDeps = {
    source,
    destinations: "location" in destinations ? [destinations] : destinations,
    newRepositoryId: () => "the-copy",
    runs: newRun(),
    now: () => new Date(),
    sleep: async (ms, waiting) => lab.sleep(ms, waiting),
    report: (event) => void events.push(event),
    ...more,
  };
  const whole = { backups: [], checksum: false, dryRun: false, breakLease: false, ...request };
  return copy(deps, whole, signal);
}

type RunOptions = Partial<CopyDeps> & { readonly events?: CopyEvent[]; readonly signal?: AbortSignal };

/** id and action of each backup, as it came. */
export function actions({ destinations }: CopyResult): (readonly [id: string, action: string])[] {
  return destinations.flatMap(({ backups }) =>
    backups.map(({ step, left }) => [step.source.id, left === null ? step.action : left.kind] as const),
  );
}

/** What is stored of backups, as text. */
export function backupObjects({ objects }: MemoryStore): Record<string, string> {
  const entries = [...objects].filter(([key]) => key.startsWith("backups/"));
  return Object.fromEntries(entries.map(([key, { bytes }]) => [key, bytes.toString("base64")]));
}

export function cloneOf(store: MemoryStore): MemoryStore {
  const clone = memoryStore(store.location);
  for (const [key, kept] of store.objects) clone.objects.set(key, kept);
  return clone;
}

/** One byte of an object becomes another one. */
export function damage(store: MemoryStore, key: string): void {
  const kept = store.objects.get(key);
  if (kept === undefined) throw new Error(`there is no ${key}`);
  const bytes = Buffer.from(kept.bytes);
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  store.objects.set(key, { ...kept, bytes });
}
