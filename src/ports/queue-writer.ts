import type { BindingDefinition, ExchangeDefinition } from "../domain/definitions.ts";
import type { BrokerInfo, QueueAddress } from "../domain/queue.ts";
import type { QueueDeclaration } from "../domain/restore-plan.ts";
import type { Route } from "../domain/restore-request.ts";
import type { Abortable } from "./abortable.ts";

export interface OutgoingMessage {
  /** Raw, 0 to 255 bytes. */
  readonly exchange: Uint8Array;
  readonly routingKey: Uint8Array;
  /** Raw property flags and list, sent as they are. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

export interface PublicationOptions extends Abortable {
  /** The broker's reason when an alarm blocks publishers, null when it has passed. */
  readonly onBlocked?: (reason: string | null) => void;
}

/** Writes into one virtual host. */
export interface QueueWriter extends AsyncDisposable {
  /** Of the broker, without credentials. */
  readonly url: string;
  readonly broker: BrokerInfo;
  /**
   * Ready messages and consumers by passive declare; null: no such queue.
   * Throws QUEUE_REFUSED (permission), QUEUE_BUSY (exclusive to another connection).
   */
  inspect(
    queue: QueueAddress,
    options?: Abortable,
  ): Promise<{ readonly ready: number; readonly consumers: number } | null>;
  /** Throws RESTORE_REFUSED when the broker will not have it so. */
  declareQueue(queue: QueueDeclaration, options?: Abortable): Promise<void>;
  /** False: an exchange of this name exists, and stays as it is. Throws RESTORE_REFUSED. */
  declareExchange(exchange: ExchangeDefinition, options?: Abortable): Promise<boolean>;
  /** Declaring one that exists changes nothing. Throws RESTORE_REFUSED. */
  declareBinding(binding: BindingDefinition, options?: Abortable): Promise<void>;
  /**
   * Opens the way to one queue. Throws PUBLISH_REFUSED when the user may not make the temporary exchange (route fanout),
   * QUEUE_LOCKED when another run of mqbackup reads or restores the queue, QUEUE_MISSING.
   */
  open(queue: QueueAddress, route: Route, options?: PublicationOptions): Promise<QueuePublication>;
}

/**
 * Publishes in order, mandatory and confirmed, over a channel of its own. Disposing removes the temporary exchange.
 * After any rejection nothing more is sent, and `confirmed` says how far the broker took it.
 */
export interface QueuePublication extends AsyncDisposable {
  /**
   * Resolves when the messages are on their way and few enough are unconfirmed. Their bytes must stay as they are until they are
   * confirmed. Rejects PUBLISH_UNROUTABLE, PUBLISH_REFUSED (nack, or the channel closed: full queue, user id), BROKER_LOST, BROKER_ALARM (publishers
   * are blocked for long), or with the signal's reason; after an abort `flush` may still be called.
   */
  publish(messages: readonly OutgoingMessage[], options?: Abortable): Promise<void>;
  /** Resolves when every message so far is confirmed. */
  flush(options?: Abortable): Promise<void>;
  /** How many messages, counted from the first, are confirmed without a hole. */
  readonly confirmed: number;
  /** Milliseconds from sending to confirm, sampled. */
  readonly confirmLatency: { readonly p50: number; readonly p99: number } | null;
  /** True: no lock could be taken (no configure permission on mqbackup.*): nothing keeps a second run away. */
  readonly unprotected: boolean;
}
