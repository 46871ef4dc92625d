import { createHash } from "node:crypto";
import { z } from "zod";
import { BackupError } from "../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../domain/queue.ts";
import type { RestoreJournal } from "../domain/restore-journal.ts";
import type { Store } from "../ports/store.ts";
import { bytesBody, readObjectOrNull } from "./objects.ts";

/** What tells one restore of a queue from another. */
export type JournalIdentity = Pick<RestoreJournal, "backup" | "broker" | "source" | "destination">;

const VERSION = 1;
const count = z.number().int().nonnegative();
const address = z.object({ vhost: z.string(), name: z.string() });
const schema: z.ZodType<RestoreJournal & { readonly version: number }> = z.object({
  version: z.literal(VERSION),
  backup: z.string(),
  broker: z.string(),
  source: address,
  destination: address,
  route: z.enum(["fanout", "default", "origin"]),
  // Absent in journals of versions that knew no selection.
  selection: z.string().default(""),
  total: count,
  initial: count,
  confirmed: count,
  limit: count,
  transient: z.boolean(),
  expiring: z.boolean(),
  refusedAt: count.nullable(),
  declared: z.boolean(),
  finished: z.boolean(),
});

/** How far restores came, one small document each, on this machine. */
export class RestoreJournals {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** null: there is none. Throws RESTORE_REFUSED when there is one that cannot be read, and as the store. */
  async load(identity: JournalIdentity): Promise<RestoreJournal | null> {
    const key = journalKey(identity);
    const bytes = await readObjectOrNull(this.#store, key);
    if (bytes === null) return null;
    const { version: _, ...journal } = parse(bytes, `${this.#store.location}/${key}`, identity.destination);
    return journal;
  }

  /** Throws TARGET_*. */
  async save(journal: RestoreJournal): Promise<void> {
    const text = `${JSON.stringify({ version: VERSION, ...journal }, null, 2)}\n`;
    try {
      await this.#store.put(journalKey(journal), bytesBody(new TextEncoder().encode(text)));
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      throw new BackupError(error.code, `how far the restore came cannot be noted: ${error.message}`, {
        hint: "Name a directory for that with --state-dir.",
        cause: error,
      });
    }
  }

  async remove(identity: JournalIdentity): Promise<void> {
    await this.#store.delete(journalKey(identity));
  }
}

function journalKey({ backup, broker, source, destination }: JournalIdentity): string {
  const places = [broker, destination.vhost, destination.name, source.vhost, source.name];
  const hash = createHash("sha256").update(JSON.stringify(places)).digest("hex");
  return `restores/${backup}/${hash.slice(0, 32)}.json`;
}

function parse(bytes: Uint8Array, name: string, destination: QueueAddress): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    const what = describeQueue(destination);
    throw new BackupError("RESTORE_REFUSED", `how far ${what} was restored cannot be read from ${name}`, {
      hint: "Remove this file, empty the queue and restore again without --resume.",
      cause,
    });
  }
}
