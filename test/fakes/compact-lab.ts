import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { parseBackupId, type BackupId } from "../../src/domain/backup-id.ts";
import type { Store } from "../../src/ports/store.ts";
import { readManifest, readStoredManifest } from "../../src/repository/manifest-reader.ts";
import { allFingerprints } from "../../src/repository/content-fingerprints.ts";
import { cat } from "../../src/usecases/cat.ts";
import type { CompactDeps, CompactEvent, CompactRequest } from "../../src/usecases/compact-types.ts";
import type { TempDirectory } from "../lab/temp.ts";
import { everyMessage } from "./backup-lab.ts";
import { PLAIN } from "./plain.ts";
import { newRun } from "./fake-runs.ts";

/** What a compaction needs, over any stores. */
export function compactDeps(
  stores: readonly [Store, ...Store[]],
  temp: TempDirectory,
  report: (event: CompactEvent) => void = () => undefined,
): CompactDeps {
  return {
    stores,
    reading: PLAIN,
    encryption: null,
    bases: null,
    openSpool: () => localSpool(temp.join("spool")),
    codec: inlineCodec({ level: 1 }),
    newRepositoryId: () => randomUUID(),
    runs: newRun(),
    now: () => new Date(),
    sleep: async (ms, signal) => delay(ms, undefined, { signal }),
    report,
  };
}

export function compactRequest(more: Partial<CompactRequest> = {}): CompactRequest {
  return {
    backup: "latest",
    volumeBytes: 900,
    spoolMaxBytes: null,
    segmentBytes: 400,
    dryRun: false,
    breakLease: false,
    durability: { async: false, minCopies: null },
    tool: { name: "mqbackup", version: "0.0.0" },
    ...more,
  };
}

/** Every message of a backup as `cat` prints it, and its fingerprint. */
export async function contentOf(store: Store, id: string): Promise<readonly string[]> {
  const codec = inlineCodec({ level: 1 });
  const lines: string[] = [];
  for await (const view of cat({ store, codec }, everyMessage(id))) lines.push(JSON.stringify(view));
  const manifest = await readManifest(store, parseBackupId(id));
  for (const queue of manifest.queues) {
    const manifestOf = async (holder: BackupId) => readStoredManifest(store, holder);
    const fingerprints = await allFingerprints({ store, codec }, manifest, queue, manifestOf);
    lines.push(`${queue.name} ${Buffer.from(fingerprints).toString("hex")}`);
  }
  return lines;
}
