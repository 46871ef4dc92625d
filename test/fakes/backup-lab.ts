import { ALL_MESSAGES } from "../../src/domain/sequence-range.ts";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { localSpool } from "../../src/adapters/archive/local-spool.ts";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { compileQueuePattern } from "../../src/domain/queue-pattern.ts";
import type { Store } from "../../src/ports/store.ts";
import type { BackupDeps, BackupEvent, BackupRequest } from "../../src/usecases/backup-types.ts";
import { cat } from "../../src/usecases/cat.ts";
import { list } from "../../src/usecases/list.ts";
import { verified } from "./verified.ts";
import type { TempDirectory } from "../lab/temp.ts";
import { PLAIN } from "./plain.ts";
import { newRun } from "./fake-runs.ts";
import type { HeldQueues } from "./held-queues.ts";

/** What a backup needs, over queues in memory and any stores. */
export function backupDeps(
  queues: HeldQueues,
  stores: readonly [Store, ...Store[]],
  temp: TempDirectory,
  events: BackupEvent[] = [],
): BackupDeps {
  return {
    directory: null,
    reader: queues.reader,
    stores,
    reading: PLAIN,
    encryption: null,
    bases: null,
    journals: null,
    openSpool: () => localSpool(temp.join("spool")),
    codec: inlineCodec({ level: 1 }),
    newRepositoryId: () => randomUUID(),
    runs: newRun(),
    now: () => new Date(),
    sleep: async (ms, signal) => delay(ms, undefined, { signal }),
    report: (event) => events.push(event),
  };
}

export function backupRequest(names: readonly string[], more: Partial<BackupRequest> = {}): BackupRequest {
  return {
    vhosts: ["/"],
    selection: { queues: names.map((name) => compileQueuePattern(name)), exclude: [] },
    told: { type: "classic", deliveryLimit: null },
    policy: { keepDeliveries: null, priority: 0, accept: new Set(), drain: more.drain ?? false },
    holdMemory: { part: 0.5 },
    set: null,
    incremental: null,
    breakLease: false,
    durability: { async: false, minCopies: null },
    drain: false,
    parallel: 2,
    maxHoldMs: 60_000,
    rate: null,
    volumeBytes: 4096,
    spoolMaxBytes: null,
    segmentBytes: 1024,
    dryRun: false,
    tool: { name: "mqbackup", version: "0.0.0" },
    url: "amqp://broker/%2F",
    ...more,
  };
}

/** Bodies of every committed backup, by queue; throws when a listed backup does not verify. */
export async function committed(store: Store): Promise<Map<string, string[]>> {
  const codec = inlineCodec({ level: 1 });
  const bodies = new Map<string, string[]>();
  const { backups, damaged } = await list({ store }, { set: null });
  if (damaged.length > 0) throw new Error("a listed backup is damaged");
  const { findings } = await verified(store);
  const damage = findings.filter((finding) => finding.severity === "damage");
  if (damage.length > 0) throw new Error(`a listed backup does not verify: ${JSON.stringify(damage)}`);
  for (const { id } of backups) {
    for await (const message of cat({ store, codec }, everyMessage(id))) {
      const found = bodies.get(message.queue) ?? [];
      found.push(message.body);
      bodies.set(message.queue, found);
    }
  }
  return bodies;
}

/** For `cat`: all of a backup, bodies as text. */
export function everyMessage(backup: string) {
  return {
    backup,
    selects: () => true,
    range: ALL_MESSAGES,
    filter: null,
    skip: 0,
    limit: null,
    body: "text" as const,
  };
}
