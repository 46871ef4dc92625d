/**
 * One message as backed up: what is on the wire, raw. All byte fields are views that are valid until the batch they came in
 * is released (until the next batch is asked for); copy what must live longer.
 */
export interface MessageRecord {
  /** The broker's `redelivered` flag at the delivery that was read. */
  readonly redelivered: boolean;
  /** Exchange as in basic.deliver, 0 to 255 bytes, not necessarily UTF-8. */
  readonly exchange: Uint8Array;
  /** Routing key as in basic.deliver, 0 to 255 bytes, not necessarily UTF-8. */
  readonly routingKey: Uint8Array;
  /** Offset in the stream it was read from; absent for other queues. */
  readonly streamOffset?: number;
  /**
   * The content header's property flags and property list (AMQP 0-9-1, 4.2.6.1), raw, with the broker's delivery annotations
   * removed and an empty header table removed with its flag.
   */
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
}
