import type { MessageFields } from "amqplib";
import { BackupError } from "../../domain/errors.ts";
import { brokerText, replyCode, REPLY } from "./amqp-errors.ts";

/** basic.return: the broker found no queue for it. */
export function returnError(destination: string, fields: MessageFields): BackupError {
  const exchange = fields.exchange === "" ? "the default exchange" : `exchange ${fields.exchange}`;
  return new BackupError(
    "PUBLISH_UNROUTABLE",
    `a message for ${destination} reached no queue by ${exchange} with routing key ${JSON.stringify(fields.routingKey)}`,
    { hint: "The queue or the binding is gone: check who deletes it while it is being restored." },
  );
}

/** basic.nack: the queue did not take it. */
export function nackError(destination: string, number: number): BackupError {
  return new BackupError("PUBLISH_REFUSED", `${destination} refused message ${number} of this restore`, {
    hint: "A queue that is full and set to reject-publish refuses: raise its max-length or restore into another queue with --map.",
  });
}

/** A channel the broker closed, by its error; null when it closed without one. */
export function channelError(destination: string, error: unknown): BackupError {
  if (error === null) {
    return new BackupError("BROKER_LOST", `the channel to ${destination} was closed`, {
      hint: "Run again with --resume when the broker is well.",
    });
  }
  const text = brokerText(error);
  return new BackupError("PUBLISH_REFUSED", `publishing to ${destination} was refused: ${text}`, {
    hint: refusalHint(replyCode(error), text),
    cause: error,
  });
}

/** The connection was lost. When the broker itself failed on a message (541), it will fail on it again. `next`: the first not confirmed. */
export function lostWhilePublishing(destination: string, lost: BackupError, next: number): BackupError {
  if (replyCode(lost.cause) !== REPLY.internalError) {
    return new BackupError("BROKER_LOST", lost.message, {
      hint: "Run again with --resume when the broker is well.",
      cause: lost,
    });
  }
  return new BackupError(
    "PUBLISH_REFUSED",
    `the broker failed on message ${next} for ${destination}, or on one soon after it: ${brokerText(lost.cause)}`,
    {
      hint: "Look at the broker's log before trying again: numbers that are none (NaN) in headers are a known cause, and no way around them is.",
      cause: lost,
    },
  );
}

function refusalHint(code: number | null, text: string): string {
  if (text.includes("user_id")) {
    return "Messages carry the user id of their publisher: give the login the tag impersonator, or drop it with --user-id drop.";
  }
  if (text.includes("expiration"))
    return "A message carries an expiration this broker does not accept: --expiration drop.";
  if (text.includes("unacceptable_type_in_header")) {
    return "A CC or BCC header of a message is not a list: this broker takes no such message.";
  }
  if (text.includes("larger than configured max size"))
    return "Raise max_message_size in the broker's configuration.";
  if (code === REPLY.accessRefused) return "The user needs the permission to write to this exchange.";
  if (code === REPLY.notFound)
    return "The exchange or queue vanished: check who deletes it while it is being restored.";
  return "The broker's own log says more.";
}
