import { BackupError, hasCode } from "../../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../../domain/queue.ts";
import { brokerText, REPLY, replyCode } from "./amqp-errors.ts";

/** Why a channel ended without our closing it. */
export interface ChannelEnd {
  readonly code: number | null;
  /** The broker's words. */
  readonly text: string;
  /** Set when the connection ended with it. */
  readonly lost: BackupError | null;
}

/** `error` is what amqplib says of a channel, or a lost connection as `AmqpConnection` tells it. */
export function channelEnd(error: unknown): ChannelEnd {
  const lost = error instanceof BackupError ? error : null;
  return { code: replyCode(lost?.cause ?? error), text: brokerText(error), lost };
}

/** Code and message of the gap that a channel's end leaves. */
export function endReason(end: ChannelEnd): { readonly code: string; readonly message: string } {
  if (end.code === REPLY.internalError) return { code: "UNDELIVERABLE", message: UNDELIVERABLE };
  if (end.text.includes("timed out"))
    return { code: "HELD_TOO_LONG", message: `the broker took the messages back: ${end.text}` };
  return { code: "BROKER_LOST", message: `the reading was cut off: ${end.text}` };
}

/** The broker failed while it delivered: the whole connection is closed. Trying again costs every message held one more delivery. */
const UNDELIVERABLE =
  "a message on it cannot be delivered over AMQP 0-9-1 (AMQP 1.0 properties of type uuid or char are a known cause, before 4.0 a stream's compressed batches too), and every try counts as a failed delivery of what was held with it";

/** What a refused request says of a queue; `end`: the end of its channel, if that is what refused it. */
export function queueError(error: unknown, queue: QueueAddress, end: ChannelEnd | null): BackupError {
  if (hasCode(error, "INTERRUPTED", "BROKER_LOST")) return error;
  const code = replyCode(error) ?? end?.code ?? null;
  const text = end?.text ?? brokerText(error);
  const name = describeQueue(queue);
  switch (code) {
    case REPLY.notFound:
      return new BackupError("QUEUE_MISSING", `${name} does not exist`, {
        hint: "It may have been deleted or renamed; mqbackup check lists what is there.",
        cause: error,
      });
    case REPLY.accessRefused:
      if (text.includes("exclusive use")) {
        return new BackupError("QUEUE_BUSY", `${name} is in exclusive use by another consumer`, {
          hint: "Read it while that consumer is away.",
          cause: error,
        });
      }
      return new BackupError("QUEUE_REFUSED", `${name} may not be read: ${text}`, {
        hint: "The user needs the read permission on it.",
        cause: error,
      });
    case REPLY.resourceLocked:
      return new BackupError("QUEUE_BUSY", `${name} is locked by another connection: ${text}`, {
        hint: "An exclusive queue lives and dies with its connection and cannot be backed up.",
        cause: error,
      });
    case REPLY.internalError:
      return new BackupError("QUEUE_UNREADABLE", `${name} cannot be read: ${UNDELIVERABLE}`, {
        hint: "Do not try again; let its consumers take that message, or leave the queue out with --exclude.",
        cause: error,
      });
    default:
      return (
        end?.lost ?? new BackupError("QUEUE_UNREADABLE", `${name} cannot be read: ${text}`, { cause: error })
      );
  }
}
