import { isDeepStrictEqual } from "node:util";
import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { storedMessages, type Manifest } from "../../src/domain/manifest.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import type { QueueType } from "../../src/domain/queue.ts";
import { backup } from "../../src/usecases/backup.ts";
import type { BackupDeps, BackupRequest, BackupResult } from "../../src/usecases/backup-types.ts";
import { cat } from "../../src/usecases/cat.ts";
import { tempDirectory } from "../lab/temp.ts";
import { backupDeps, backupRequest, committed, everyMessage } from "./backup-lab.ts";
import { HeldQueues } from "./held-queues.ts";
import { memoryStore } from "./memory-store.ts";

const NEVER = new AbortController().signal;
export const INCREMENTAL = { base: null, requireBase: false };

/** A broker in memory, one target, and what every committed backup must hold: kept here, not read from there. */
export class Chain {
  readonly store = memoryStore();
  readonly queues: HeldQueues;
  readonly truth = new Map<string, Record<string, string[]>>();
  readonly type: QueueType;
  /** Of every run. */
  deps: Partial<BackupDeps> = {};
  clock = Date.UTC(2026, 10, 21, 19, 32);

  constructor(queues: Readonly<Record<string, readonly MessageRecord[]>>, type: QueueType = "classic") {
    this.queues = new HeldQueues(queues);
    this.type = type;
  }

  change(queue: string, edit: (records: readonly MessageRecord[]) => readonly MessageRecord[]): void {
    this.queues.messages.set(queue, [...edit(this.queues.messages.get(queue) ?? [])]);
  }

  now(): Record<string, string[]> {
    const all = [...this.queues.messages].filter(([, records]) => records.length > 0);
    return Object.fromEntries(all.map(([name, records]) => [name, records.map(bodyOf)]));
  }

  async full(more: Partial<BackupRequest> = {}): Promise<Manifest> {
    return manifestOf(await this.run(null, more));
  }

  async incremental(more: Partial<BackupRequest> = {}): Promise<Manifest> {
    return manifestOf(await this.run(INCREMENTAL, more));
  }

  async run(
    incremental: BackupRequest["incremental"],
    more: Partial<BackupRequest> = {},
    deps: Partial<BackupDeps> = {},
    signal = NEVER,
  ): Promise<BackupResult> {
    await using temp = await tempDirectory();
    const request = {
      told: { type: this.type, deliveryLimit: null },
      set: "s",
      incremental,
      ...more,
    };
    this.clock += 60_000;
    const now = this.now();
    const result = await backup(
      {
        ...backupDeps(this.queues, [this.store], temp),
        now: () => new Date(this.clock),
        ...this.deps,
        ...deps,
      },
      backupRequest([...this.queues.messages.keys()], request),
      signal,
    );
    for (const { id } of result.manifests) this.truth.set(id, now);
    return result;
  }

  /** Every listed backup verifies and holds what was there, or this throws; how many there are. */
  async expectTrue(): Promise<number> {
    const store = this.deps.reading?.of(this.store) ?? this.store;
    await committed(store);
    const codec = inlineCodec({ level: 1 });
    for (const [id, truth] of this.truth) {
      const found: Record<string, string[]> = {};
      for await (const { queue, body } of cat({ store, codec }, everyMessage(id))) {
        (found[queue] ??= []).push(body);
      }
      if (!isDeepStrictEqual(found, truth)) {
        throw new Error(`${id} has ${JSON.stringify(found)}, not ${JSON.stringify(truth)}`);
      }
    }
    return this.truth.size;
  }
}

function bodyOf(record: MessageRecord): string {
  return Buffer.from(record.body).toString();
}

function manifestOf({ manifests: [manifest] }: BackupResult): Manifest {
  if (!manifest) throw new Error("no backup");
  return manifest;
}

/** Messages each queue stores itself. */
export function stored({ queues }: Manifest): Record<string, number> {
  return Object.fromEntries(queues.map((queue) => [queue.name, storedMessages(queue)]));
}
