import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileStore } from "../../src/adapters/store/file-store.ts";
import {
  formatFullId,
  formatIncrementalId,
  parseBackupId,
  type BackupId,
} from "../../src/domain/backup-id.ts";
import type { Manifest } from "../../src/domain/manifest.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { encodeManifest } from "../../src/repository/manifest-codec.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { message, messages, REPOSITORY, writeBackup, type SampleBackup } from "../fakes/sample-backup.ts";

/** A full backup on Sunday, an incremental every ten minutes: how many of these go into one chain here. */
const CHAIN = 100;

const FIRST = new Date("2026-11-21T19:32:00Z").getTime();
const STEP_MS = 600_000;

/**
 * Fills a directory with a repository of so many small backups, in chains. Real ones, of so many queues each, made once and written
 * again under other ids: `verify` finds nothing wrong with them, and every folder holds what a real one holds.
 */
export async function writeManyBackups(directory: string, count: number, queues: number): Promise<void> {
  await createCatalog(fileStore(directory), REPOSITORY);
  const memory = memoryStore();
  const catalog = await createCatalog(memory, REPOSITORY);
  const sample = backupOf(queues, 0, 12);
  const full = await writeBackup(catalog, sample);
  const incremental = await writeBackup(catalog, {
    ...backupOf(queues, 2, 3),
    now: new Date(FIRST + STEP_MS),
    base: { manifest: full, sample },
  });
  const filesOf = ({ id }: Manifest): readonly (readonly [string, Uint8Array])[] =>
    [...memory.objects].flatMap(([key, { bytes }]) => {
      const name = path.basename(key);
      return key.startsWith(`backups/${id}/`) && name !== "manifest.json" ? [[name, bytes] as const] : [];
    });
  const made = {
    full: { manifest: full, files: filesOf(full) },
    incremental: { manifest: incremental, files: filesOf(incremental) },
  };
  let chain = formatFullId(new Date(FIRST));
  let base = chain;
  for (let n = 0; n < count; n += 1) {
    const at = new Date(FIRST + n * STEP_MS);
    const begins = n % CHAIN === 0;
    const id = begins ? formatFullId(at) : formatIncrementalId(chain, at);
    if (begins) chain = id;
    const { manifest, files } = begins ? made.full : made.incremental;
    await writeCopy(directory, renamed(manifest, { id, chain, base: begins ? null : base, at }), files);
    base = id;
  }
}

/** Queues of a shop; of an incremental `taken` messages are gone at the head and `come` are new at the tail. */
function backupOf(queues: number, taken: number, come: number): SampleBackup {
  return {
    now: new Date(FIRST),
    volumeBytes: 2 ** 28,
    segmentBytes: 2 ** 22,
    queues: Array.from({ length: queues }, (_, n) => ({
      name: `shop.orders.region-${n}`,
      type: n % 3 === 0 ? ("quorum" as const) : ("classic" as const),
      records: [
        ...messages(12).slice(taken),
        ...(taken === 0 ? [] : Array.from({ length: come }, (__, i) => message(100 + i))),
      ],
      entry: { policy: "limits", effectivePolicy: { "max-length": 100_000, "dead-letter-exchange": "dead" } },
    })),
  };
}

function renamed(
  manifest: Manifest,
  { id, chain, base, at }: { id: BackupId; chain: BackupId; base: BackupId | null; at: Date },
): Manifest {
  return {
    ...manifest,
    id,
    base,
    set: "nightly",
    startedAt: at.toISOString(),
    finishedAt: new Date(at.getTime() + 4512).toISOString(),
    queues: manifest.queues.map((queue) => ({
      ...queue,
      content: queue.content.map((range) => (range.kind === "kept" ? { ...range, backup: chain } : range)),
    })),
  };
}

async function writeCopy(
  directory: string,
  manifest: Manifest,
  files: readonly (readonly [string, Uint8Array])[],
): Promise<void> {
  const folder = path.join(directory, "backups", parseBackupId(manifest.id));
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of files) await writeFile(path.join(folder, name), bytes);
  await writeFile(path.join(folder, "manifest.json"), encodeManifest(manifest));
}
