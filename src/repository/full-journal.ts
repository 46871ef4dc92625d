import { createHash } from "node:crypto";
import { z } from "zod";
import { isBackupId, type BackupId } from "../domain/backup-id.ts";
import { queueFolder } from "../domain/entry-name.ts";
import { hasCode } from "../domain/errors.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { Store } from "../ports/store.ts";
import { bytesBody, readObject, readObjectOrNull } from "./objects.ts";
import type { ShippedVolume, VolumeSegment } from "./shipped-segments.ts";
import { volumeNumber } from "./volume.ts";

/** Which full backup is being made of a set at these targets, and by whom. */
export interface FullBegun {
  readonly backup: BackupId;
  /** The manifest's. */
  readonly startedAt: Date;
  /** Text that stands for the run that goes on with it. */
  readonly run: string;
}

/** A queue by what it is called in the backup. */
export interface OrdinalQueue extends QueueAddress {
  readonly ordinal: number;
}

/** A volume as it was put, or was about to be. */
export type JournalledVolume = ShippedVolume & { readonly queues: readonly OrdinalQueue[] };

const VERSION = 1;
const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const begunSchema = z.object({
  version: z.literal(VERSION),
  backup: z.string().refine(isBackupId),
  startedAt: z.iso.datetime().transform((text) => new Date(text)),
  run: z.string(),
});

const volumeSchema = z.object({
  version: z.literal(VERSION),
  bytes: count,
  sha256,
  queues: z.array(z.object({ ordinal: z.number().int().positive(), vhost: z.string(), name: z.string() })),
  segments: z.array(
    z.object({
      ordinal: z.number().int().positive(),
      first: count,
      records: count,
      offset: count,
      length: count,
      plainBytes: count,
      sha256,
      identity: sha256,
    }),
  ),
});

/**
 * What is noted of the full backup of a set at these targets while it is made, on this machine: a document for each volume, put before the
 * volume is, so that no volume is at a target that is not noted. What cannot be read is as if it had not been noted.
 */
export class FullJournal {
  readonly #store: Store;
  readonly #folder: string;

  /** `repositories`: ids of those at the targets, in any order. */
  constructor(store: Store, set: string, repositories: readonly string[]) {
    this.#store = store;
    const identity = JSON.stringify([set, ...repositories.toSorted()]);
    this.#folder = `fulls/${createHash("sha256").update(identity).digest("hex").slice(0, 32)}/`;
  }

  /** For people. */
  get location(): string {
    return this.#store.location;
  }

  /** null: none. Throws TARGET_*. */
  async begun(): Promise<FullBegun | null> {
    const bytes = await readObjectOrNull(this.#store, this.#begunKey);
    const parsed = begunSchema.safeParse(bytes === null ? null : parsedJson(bytes));
    return parsed.success ? parsed.data : null;
  }

  /** From now on the backup is this run's, whoever began it. Throws TARGET_*. */
  async take({ backup, startedAt, run }: FullBegun): Promise<void> {
    await this.#put(this.#begunKey, { version: VERSION, backup, startedAt: startedAt.toISOString(), run });
  }

  /** Throws TARGET_*. */
  async note(backup: BackupId, volume: JournalledVolume): Promise<void> {
    const { name, bytes, sha256: sum, queues } = volume;
    const ordinals = new Map(queues.map((queue) => [queueFolder(queue.ordinal, queue.name), queue.ordinal]));
    const segments = volume.segments.map(({ folder, ...rest }) => ({
      ordinal: ordinals.get(folder),
      ...rest,
    }));
    const document = { version: VERSION, bytes, sha256: sum, queues, segments };
    await this.#put(this.#volumeKey(backup, name), document);
  }

  /** By ascending number. Of one that cannot be read the number alone is known: it has no segments. Throws TARGET_*. */
  async volumes(backup: BackupId): Promise<readonly JournalledVolume[]> {
    const volumes: JournalledVolume[] = [];
    const prefix = `${this.#folder}${backup}/`;
    for await (const key of this.#store.keys(prefix)) {
      const name = key.slice(prefix.length).replace(/\.json$/, "");
      const number = volumeNumber(name);
      if (number === null) continue;
      const known = await this.#volume(key);
      volumes.push({ number, name, ...(known ?? { bytes: 0, sha256: "", queues: [], segments: [] }) });
    }
    return volumes.toSorted((a, b) => a.number - b.number);
  }

  /** Of this backup and of every one before. Throws TARGET_*. */
  async remove(): Promise<void> {
    const keys: string[] = [];
    for await (const key of this.#store.keys(this.#folder)) keys.push(key);
    for (const key of keys) await this.#store.delete(key);
  }

  async #volume(key: string): Promise<Omit<JournalledVolume, "name" | "number"> | null> {
    let bytes: Uint8Array;
    try {
      bytes = await readObject(this.#store, key);
    } catch (error) {
      if (hasCode(error, "OBJECT_MISSING")) return null;
      throw error;
    }
    const parsed = volumeSchema.safeParse(parsedJson(bytes));
    if (!parsed.success) return null;
    const { segments, ...volume } = parsed.data;
    const folders = new Map(volume.queues.map(({ ordinal, name }) => [ordinal, queueFolder(ordinal, name)]));
    return {
      ...volume,
      segments: segments.flatMap(({ ordinal, ...rest }): VolumeSegment[] => {
        const folder = folders.get(ordinal);
        return folder === undefined ? [] : [{ folder, ...rest }];
      }),
    };
  }

  async #put(key: string, document: object): Promise<void> {
    await this.#store.put(key, bytesBody(new TextEncoder().encode(`${JSON.stringify(document)}\n`)));
  }

  get #begunKey(): string {
    return `${this.#folder}begun.json`;
  }

  #volumeKey(backup: BackupId, name: string): string {
    return `${this.#folder}${backup}/${name}.json`;
  }
}

function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
