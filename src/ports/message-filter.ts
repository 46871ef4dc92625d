import type { MessageRecord } from "../domain/message.ts";
import type { QueueAddress } from "../domain/queue.ts";

/** A message of a backup, and where it stands. */
export interface PlacedMessage {
  readonly queue: QueueAddress;
  /** Place in the queue, from 0. */
  readonly sequence: number;
  readonly record: MessageRecord;
}

/** Tells the messages that are wanted, by a condition someone wrote. The same answer for the same message, whenever it is asked. */
export interface MessageFilter {
  /** The condition as it was written. */
  readonly text: string;
  /** Throws USAGE when the condition cannot be evaluated for this message: that is neither yes nor no. */
  matches(message: PlacedMessage): boolean;
}
