import { deathOrigin, type DeathOrigin } from "../domain/death-origin.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { MessageRecord } from "../domain/message.ts";
import {
  editedProperties,
  isCopied,
  isExpiring,
  isPersistent,
  type PropertyEdits,
} from "../domain/outgoing.ts";
import { describeQueue } from "../domain/queue.ts";
import type { QueuePlan } from "../domain/restore-plan.ts";
import { sequenceOf } from "../domain/restore-targets.ts";
import type { OutgoingMessage, QueuePublication, QueueWriter } from "../ports/queue-writer.ts";
import type { RestoreContent } from "./restore-content.ts";
import type { JournalKeeper } from "./restore-journal-keeper.ts";
import type { RestoreCommand, RestoreDeps } from "./restore-types.ts";

export interface QueueRestore {
  readonly deps: Pick<RestoreDeps, "now" | "deadline" | "report">;
  readonly command: RestoreCommand;
  readonly plan: QueuePlan;
  readonly writer: QueueWriter;
  readonly content: RestoreContent;
  readonly journal: JournalKeeper;
}

/** How far one queue came. */
export interface Published {
  /** Counted from the first message that is to be restored. */
  readonly confirmed: number;
  readonly bodyBytes: number;
  readonly latency: QueuePublication["confirmLatency"];
  readonly unprotected: boolean;
  /** null: all of it is confirmed. */
  readonly failure: BackupError | null;
}

/** Messages and body bytes handed to the publication at once. */
const BATCH_MESSAGES = 512;
const BATCH_BYTES = 1024 * 1024;
const REPORT_EVERY_MS = 100;
/** After an interruption, for what is in flight. */
const GRACE_MS = 2000;

/** Publishes what the plan says and keeps the journal true. Only failures of opening reject; later ones are in the result. */
export async function publishQueue(restore: QueueRestore, signal: AbortSignal): Promise<Published> {
  const { deps, plan, writer, journal } = restore;
  const { destination, from } = plan;
  await using publication = await writer.open(destination, plan.route, {
    signal,
    onBlocked: (reason) => deps.report({ kind: "blocked", destination, reason }),
  });
  const sending = new Sending(restore, publication);
  let failure: BackupError | null = null;
  try {
    await sending.run(signal);
  } catch (error) {
    failure = await settled(error, restore, publication, signal);
  }
  const confirmed = from + publication.confirmed;
  const finished = failure === null;
  const refusedAt = hasCode(failure, "PUBLISH_REFUSED", "PUBLISH_UNROUTABLE") ? confirmed + 1 : null;
  const { transient, expiring } = sending;
  await journal.save({ confirmed, transient, expiring, refusedAt, finished });
  sending.report();
  const { unprotected, confirmLatency: latency } = publication;
  return { confirmed, bodyBytes: sending.bodyBytes, latency, unprotected, failure };
}

/** What was sent is given a moment to be confirmed, so that as little as possible is left open. */
async function settled(
  error: unknown,
  { deps, plan }: QueueRestore,
  publication: QueuePublication,
  signal: AbortSignal,
): Promise<BackupError> {
  if (!signal.aborted && !(error instanceof BackupError)) throw error;
  try {
    await publication.flush({ signal: deps.deadline(GRACE_MS) });
  } catch {
    // Why it ends is known already; `confirmed` says how far it came.
  }
  if (error instanceof BackupError && !signal.aborted) return error;
  return new BackupError("INTERRUPTED", `restoring ${describeQueue(plan.destination)} was interrupted`);
}

class Sending {
  readonly #restore: QueueRestore;
  readonly #publication: QueuePublication;
  readonly #edits: PropertyEdits;
  #published: number;
  #bodyBytes = 0;
  #transient: boolean;
  #expiring: boolean;
  #reportedAt = 0;
  /** Segments whose last message is number `upTo`. */
  readonly #unconfirmed: { readonly upTo: number; readonly release: () => void }[] = [];

  constructor(restore: QueueRestore, publication: QueuePublication) {
    this.#restore = restore;
    this.#publication = publication;
    this.#edits = { ...restore.command, ...restore.plan.edits };
    this.#published = restore.plan.from;
    this.#transient = restore.journal.current.transient;
    this.#expiring = restore.journal.current.expiring;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  get transient(): boolean {
    return this.#transient;
  }

  get expiring(): boolean {
    return this.#expiring;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { plan, content } = this.#restore;
    for await (const { records, release } of content.segments(plan, plan.from, { signal })) {
      signal.throwIfAborted();
      for (const batch of batches(this.#outgoing(records))) await this.#send(batch, signal);
      this.#unconfirmed.push({ upTo: this.#published, release });
    }
    await this.#publication.flush({ signal });
  }

  async #send(batch: readonly OutgoingMessage[], signal: AbortSignal): Promise<void> {
    for (const { properties, body } of batch) {
      this.#bodyBytes += body.length;
      this.#expiring ||= isExpiring(properties);
      this.#transient ||= !isPersistent(properties);
    }
    const upTo = this.#published + batch.length;
    const { plan, journal } = this.#restore;
    const facts = {
      confirmed: plan.from + this.#publication.confirmed,
      transient: this.#transient,
      expiring: this.#expiring,
    };
    await journal.reserve(upTo, facts);
    await this.#publication.publish(batch, { signal });
    this.#published = upTo;
    this.#releaseConfirmed();
    this.#reportInTime();
  }

  /** Until they are confirmed, messages may lie in the socket as they lie in the segment. */
  #releaseConfirmed(): void {
    const confirmed = this.#restore.plan.from + this.#publication.confirmed;
    while ((this.#unconfirmed[0]?.upTo ?? Number.POSITIVE_INFINITY) <= confirmed) {
      this.#unconfirmed.shift()?.release();
    }
  }

  *#outgoing(records: Iterable<MessageRecord>): Generator<OutgoingMessage, void, undefined> {
    let number = this.#published;
    for (const record of records) yield this.#edited(record, number++);
  }

  #edited(record: MessageRecord, number: number): OutgoingMessage {
    const { command, plan } = this.#restore;
    const { body } = record;
    const { exchange, routingKey } = plan.tally === null ? record : originOf(record, plan, number);
    const properties = editedProperties(record, this.#edits);
    if (plan.route === "default" && !command.accept.has("cc") && isCopied(properties)) {
      const what = `message ${sequenceOf(plan, number) + 1} of ${describeQueue(plan.source)}`;
      throw new BackupError(
        "RESTORE_REFUSED",
        `${what} has a CC or BCC header, by which it may reach other queues too`,
        {
          hint: "Restore by --route queue, or accept that with --accept cc.",
        },
      );
    }
    return { exchange, routingKey, properties, body };
  }

  #reportInTime(): void {
    const now = this.#restore.deps.now().getTime();
    if (now - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = now;
    this.report();
  }

  report(): void {
    const { deps, plan } = this.#restore;
    deps.report({
      kind: "queue-progress",
      destination: plan.destination,
      messages: plan.messages,
      published: this.#published,
      confirmed: plan.from + this.#publication.confirmed,
      bodyBytes: this.#bodyBytes,
    });
  }
}

/** All were looked at before the first was sent: the origin is known. */
function originOf(record: MessageRecord, plan: QueuePlan, number: number): DeathOrigin {
  const origin = deathOrigin(record.properties);
  if (origin !== null) return origin;
  const what = `message ${sequenceOf(plan, number) + 1} of ${describeQueue(plan.source)}`;
  throw new BackupError("INTERNAL", `${what} has lost its origin`);
}

function* batches(
  messages: Iterable<OutgoingMessage>,
): Generator<readonly OutgoingMessage[], void, undefined> {
  let batch: OutgoingMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (batch.length > 0 && (batch.length >= BATCH_MESSAGES || bytes + message.body.length > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += message.body.length;
  }
  if (batch.length > 0) yield batch;
}
