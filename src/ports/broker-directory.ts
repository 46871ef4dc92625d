import type { Definitions } from "../domain/definitions.ts";
import type { BrokerInfo, QueueInfo } from "../domain/queue.ts";
import type { Abortable } from "./abortable.ts";

export interface Alarm {
  readonly node: string;
  /** "memory", "disk" or what the broker calls it. */
  readonly resource: string;
}

export interface NodeMemory {
  readonly node: string;
  readonly usedBytes: number;
  /** Where the memory alarm goes off. */
  readonly limitBytes: number;
}

/**
 * What the broker tells of itself and its queues (the management API). Nothing here changes anything.
 * Throws MANAGEMENT_UNREACHABLE (cannot be reached, or did not answer), LOGIN_REFUSED (401: wrong password or no management tag),
 * MANAGEMENT_REFUSED (other refusals).
 */
export interface BrokerDirectory {
  describe(options?: Abortable): Promise<BrokerInfo>;
  /** Virtual hosts the user may see, sorted. */
  vhosts(options?: Abortable): Promise<readonly string[]>;
  /** Every queue of a virtual host, sorted by name. Throws VHOST_MISSING. */
  queues(vhost: string, options?: Abortable): Promise<readonly QueueInfo[]>;
  /** One queue, fresh; null: it does not exist. */
  queue(vhost: string, name: string, options?: Abortable): Promise<QueueInfo | null>;
  /** Memory and disk alarms now in effect. */
  alarms(options?: Abortable): Promise<readonly Alarm[]>;
  /** null: this user may not know (needs the `monitoring` tag). */
  memory(options?: Abortable): Promise<readonly NodeMemory[] | null>;
  definitions(vhost: string, options?: Abortable): Promise<Definitions>;
}
