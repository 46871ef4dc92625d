import type { QueueAddress } from "../../domain/queue.ts";
import type { AmqpConnection } from "./connection.ts";
import type { DeliveryTap } from "./delivery-tap.ts";

/** One queue's connection, and the lock that is held on it. */
export interface ReadingSession {
  readonly connection: AmqpConnection;
  readonly tap: DeliveryTap;
  readonly queue: QueueAddress;
  /** No lock could be taken. */
  readonly unprotected: boolean;
  /** Gives the lock back and closes the connection. */
  readonly close: () => Promise<void>;
}
