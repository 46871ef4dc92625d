import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import type { Definitions } from "../../src/domain/definitions.ts";
import type { Manifest } from "../../src/domain/manifest.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import { ALL_MESSAGES } from "../../src/domain/sequence-range.ts";
import type { OutgoingMessage } from "../../src/ports/queue-writer.ts";
import { createCatalog, type Catalog } from "../../src/repository/catalog.ts";
import { restore } from "../../src/usecases/restore.ts";
import type {
  RestoreCommand,
  RestoreDeps,
  RestoreEvent,
  RestoreResult,
} from "../../src/usecases/restore-types.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";
import { writeBackup, type SampleQueue } from "./sample-backup.ts";

export const NOW = new Date("2026-11-21T19:32:00Z");

/** A backup in memory, a broker in memory, and `restore` between them. */
export interface RestoreLab {
  readonly store: MemoryStore;
  readonly journals: MemoryStore;
  readonly catalog: Catalog;
  readonly manifest: Manifest;
  readonly broker: MemoryBroker;
  readonly events: RestoreEvent[];
  volumeKey(index: number): string;
  damage(key: string, change: (bytes: Buffer) => Buffer): void;
  /** The journal of the only queue, as it lies on disk. */
  journal(): { readonly limit: number };
  restore(
    command?: Partial<RestoreCommand>,
    signal?: AbortSignal,
    deps?: Partial<RestoreDeps>,
  ): Promise<RestoreResult>;
}

export async function restoreLab(
  queues: readonly SampleQueue[],
  more: { readonly definitions?: readonly Definitions[] } = {},
): Promise<RestoreLab> {
  const store = memoryStore();
  const journals = memoryStore("journals");
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "r" });
  const manifest = await writeBackup(catalog, { now: NOW, queues, ...more });
  const broker = new MemoryBroker();
  const events: RestoreEvent[] = [];
  let milliseconds = NOW.getTime();
  return {
    store,
    journals,
    catalog,
    manifest,
    broker,
    events,
    volumeKey: (index) => `backups/${manifest.id}/${manifest.volumes[index]?.name}`,
    damage(key, change) {
      const kept = store.objects.get(key);
      if (!kept) throw new Error(`no ${key}`);
      store.objects.set(key, { ...kept, bytes: change(Buffer.from(kept.bytes)) });
    },
    journal() {
      const [kept] = journals.objects.values();
      return JSON.parse(kept?.bytes.toString() ?? "{}") as { limit: number };
    },
    restore: async (command = {}, signal = new AbortController().signal, deps = {}) =>
      restore(
        {
          store,
          codec: inlineCodec({ level: 3 }),
          openWriter: async () => broker.writer(),
          directory: null,
          reader: broker.reader(),
          journals,
          now: () => new Date((milliseconds += 50)),
          sleep: async () => undefined,
          deadline: (ms) => AbortSignal.timeout(ms),
          report: (event) => events.push(event),
          ...deps,
        },
        { ...COMMAND, ...command },
        signal,
      ),
  };
}

export const COMMAND: RestoreCommand = {
  backup: "latest",
  selects: () => true,
  range: ALL_MESSAGES,
  filter: null,
  named: [],
  mappings: [],
  toVhost: null,
  route: "fanout",
  definitions: "missing",
  append: false,
  resume: false,
  expiration: "keep",
  userId: "keep",
  toOrigin: false,
  deathHeader: "keep",
  accept: new Set(),
  dryRun: false,
  parallel: 2,
  readBack: false,
  reading: {
    policy: { keepDeliveries: null, priority: 0, accept: new Set(), drain: false },
    maxHoldMs: 60_000,
  },
};

/** As a queue holds it when it was published exactly as recorded. */
export function asPublished({ exchange, routingKey, properties, body }: MessageRecord): OutgoingMessage {
  return { exchange, routingKey, properties, body };
}

export function bodies(records: readonly MessageRecord[]): string[] {
  return records.map(({ body }) => Buffer.from(body).toString());
}

export function asHex({ exchange, routingKey, properties, body }: OutgoingMessage): string {
  return [exchange, routingKey, properties, body]
    .map((bytes) => Buffer.from(bytes).toString("hex"))
    .join(" ");
}
