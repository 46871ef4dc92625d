import type { MessageSelection } from "./message-selection.ts";
import type { QueueMapping } from "./queue-mapping.ts";
import type { QueueAddress } from "./queue.ts";

/**
 * How messages reach the queue.
 * - fanout: through a temporary fanout exchange bound to this queue alone; the routing key is kept, CC headers have no effect.
 * - default: through the default exchange by the queue's name; the routing key is lost, a CC header would reach other queues.
 * - origin: to each message's own exchange and routing key, wherever the bindings lead.
 */
export type Route = "fanout" | "default" | "origin";

/** What the operator wants of a restore. */
export interface RestoreRequest extends MessageSelection {
  readonly selects: (queue: QueueAddress) => boolean;
  /** Queues asked for by their exact names: each must be in the backup. `vhost` null: in any virtual host. */
  readonly named: readonly { readonly vhost: string | null; readonly name: string }[];
  /** The first that matches decides; without a match the name stays. */
  readonly mappings: readonly QueueMapping[];
  /** null: each queue's own. */
  readonly toVhost: string | null;
  readonly route: Route;
  /** missing: declare queues that do not exist, with the exchanges and bindings that lead to them. */
  readonly definitions: "none" | "missing";
  /** Restore into queues that hold messages, and several queues into one. */
  readonly append: boolean;
  /** Go on with a restore that was broken off. */
  readonly resume: boolean;
  readonly expiration: "keep" | "drop";
  readonly userId: "keep" | "drop";
  /** Dead-lettered messages go back to the exchange and routing key they had before they died first, by the route `origin`. */
  readonly toOrigin: boolean;
  /** drop: without the headers the broker wrote when it dead-lettered them. */
  readonly deathHeader: "keep" | "drop";
  /** `--accept` codes, see `ACCEPTABLE`. */
  readonly accept: ReadonlySet<string>;
}

/** What `--accept` may name in a restore, and what it then allows. */
export const ACCEPTABLE = {
  "type-change": "restore into a queue of another type",
  overflow: "restore into a queue whose limits are lower than what is restored",
  cc: "publish messages with a CC or BCC header where they may reach other queues too",
  duplicates: "go on with a broken-off restore from the last message known to be confirmed",
} as const;
