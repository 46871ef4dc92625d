import type { RestoreJournal } from "../domain/restore-journal.ts";
import type { RestoreJournals } from "../repository/restore-journals.ts";

/** How often the journal is brought up to date, at most. */
const SAVE_EVERY_MS = 1000;
/** How far ahead of what was sent its `limit` may be: what a crash leaves open, before it is known what arrived. */
const RESERVE_MESSAGES = 50_000;

/**
 * Keeps one queue's journal true while messages are sent: `limit` is durable before any message beyond the old one is sent, `confirmed`
 * follows within about a second.
 */
export class JournalKeeper {
  readonly #journals: Pick<RestoreJournals, "save">;
  readonly #now: () => Date;
  #journal: RestoreJournal;
  #savedAt = 0;

  constructor(journals: Pick<RestoreJournals, "save">, now: () => Date, journal: RestoreJournal) {
    this.#journals = journals;
    this.#now = now;
    this.#journal = journal;
  }

  get current(): RestoreJournal {
    return this.#journal;
  }

  /** Before messages up to number `upTo` are sent. */
  async reserve(upTo: number, facts: Partial<RestoreJournal>): Promise<void> {
    const { limit, total } = this.#journal;
    const due = this.#now().getTime() - this.#savedAt >= SAVE_EVERY_MS;
    if (upTo <= limit && !due) return;
    await this.save({ ...facts, limit: Math.max(limit, Math.min(total, upTo + RESERVE_MESSAGES)) });
  }

  async save(facts: Partial<RestoreJournal>): Promise<void> {
    this.#journal = { ...this.#journal, ...facts };
    await this.#journals.save(this.#journal);
    this.#savedAt = this.#now().getTime();
  }
}
