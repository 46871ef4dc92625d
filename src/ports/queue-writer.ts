import type { QueueAddress } from "../domain/queue.ts";
import type { BindingDefinition, ExchangeDefinition } from "../domain/definitions.ts";
import type { Abortable } from "./abortable.ts";

export interface OutgoingMessage {
  /** Raw, 0 to 255 bytes. */
  readonly exchange: Uint8Array;
  readonly routingKey: Uint8Array;
  /** Raw property flags and list, sent as they are. */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * How messages reach the queue.
 * - fanout: through a temporary fanout exchange bound to this queue alone; the routing key is kept, CC headers have no effect.
 * - default: through the default exchange by the queue's name; the routing key is lost, a CC header would reach other queues.
 * - origin: to each message's own exchange and routing key, wherever the bindings lead.
 */
export type Route = "fanout" | "default" | "origin";

export interface PublishProgress {
  /** Every message up to here is confirmed by the broker. */
  readonly confirmed: number;
}

export interface QueueDeclaration extends QueueAddress {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Writes into one virtual host. */
export interface QueueWriter extends AsyncDisposable {
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
  declareExchange(exchange: ExchangeDefinition, options?: Abortable): Promise<void>;
  declareBinding(binding: BindingDefinition, options?: Abortable): Promise<void>;
  /**
   * Opens the way to one queue. Throws PUBLISH_REFUSED when the user may not make the temporary exchange (route fanout).
   */
  open(queue: QueueAddress, route: Route, options?: Abortable): Promise<QueuePublication>;
}

/**
 * Publishes in order, mandatory and confirmed, over a channel of its own. Disposing removes the temporary exchange.
 * After any rejection nothing more is sent, and `confirmed` says how far the broker took it.
 */
export interface QueuePublication extends AsyncDisposable {
  /**
   * Resolves when the messages are on their way and few enough are unconfirmed. Rejects PUBLISH_UNROUTABLE, PUBLISH_REFUSED (nack,
   * or the channel closed: full queue, user id), BROKER_LOST, BROKER_ALARM (publishers are blocked for long).
   */
  publish(messages: readonly OutgoingMessage[], options?: Abortable): Promise<void>;
  /** Resolves when every message so far is confirmed. */
  flush(options?: Abortable): Promise<void>;
  /** How many messages, counted from the first, are confirmed without a hole. */
  readonly confirmed: number;
  /** Milliseconds from sending to confirm, sampled. */
  readonly confirmLatency: { readonly p50: number; readonly p99: number } | null;
}
