import type { BackupError } from "../domain/errors.ts";
import type { MessagePart } from "../domain/message-comparison.ts";
import type { QueueAddress, QueueType } from "../domain/queue.ts";
import type { RestoreRequest } from "../domain/restore-request.ts";
import type { RestoreTargets } from "../domain/restore-targets.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { Runs } from "../ports/runs.ts";
import type { ScratchHosts } from "../ports/scratch-hosts.ts";
import type { RestoreDeps } from "./restore-types.ts";

export interface DrillDeps extends Omit<RestoreDeps, "directory" | "journals" | "report"> {
  readonly directory: BrokerDirectory;
  readonly scratch: ScratchHosts;
  readonly runs: Pick<Runs, "current" | "isGone">;
  /** For names; no other drill ever has the same. */
  newRunId(): string;
  report(event: DrillEvent): void;
}

export interface DrillRequest extends Pick<RestoreRequest, "selects" | "named"> {
  /** An id, the beginning of one, or "latest". */
  readonly backup: string;
  /** Queues restored and read back at once. */
  readonly parallel: number;
  readonly maxHoldMs: number;
}

export interface DrillResult {
  readonly backup: string;
  /** Without credentials and virtual host. */
  readonly broker: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** In the order of the backup. */
  readonly queues: readonly DrilledQueue[];
  /** In the backup by name only: never read, so that there is nothing to prove. */
  readonly left: RestoreTargets["left"];
  readonly definitions: ProvenDefinitions;
  /** dropped: this user may not publish the user ids of others, so they were left out, and not compared. */
  readonly userIds: "kept" | "dropped";
  /** Virtual hosts that drills before this one had left, and that are removed. */
  readonly swept: readonly string[];
  /** Virtual hosts of this drill, or of one before it, that could not be removed. */
  readonly notRemoved: readonly NotRemoved[];
  /** INTERRUPTED; the first proof that the backup is not what it should be; or why nothing at all could be drilled. */
  readonly failure: BackupError | null;
}

/** Exchanges and bindings that lead to the queues. */
export interface ProvenDefinitions {
  readonly exchanges: number;
  readonly bindings: number;
  readonly refused: readonly { readonly vhost: string; readonly what: string; readonly why: string }[];
}

export interface NotRemoved {
  readonly name: string;
  readonly why: string;
}

/**
 * proven: every message came back as the backup has it, in order. differs: one did not. damaged: the backup does not give what it
 * should. not-drilled: this broker or this user could not do it, which says nothing of the backup.
 */
export type DrillOutcome = "proven" | "differs" | "damaged" | "not-drilled" | "interrupted";

export interface DrilledQueue {
  readonly queue: QueueAddress;
  readonly type: QueueType;
  readonly outcome: DrillOutcome;
  /** The backup itself has gaps here, which a drill cannot fill. */
  readonly partial: boolean;
  /** Messages the backup holds of it. */
  readonly messages: number;
  /** Bytes of their bodies. */
  readonly bodyBytes: number;
  /** Messages read back and found the same. */
  readonly compared: number;
  /** The first message that differs, from 0, and in what; null: none. */
  readonly difference: { readonly sequence: number; readonly part: MessagePart | "missing" | "extra" } | null;
  /** null: not begun. */
  readonly restoreMs: number | null;
  /** null: not read back. */
  readonly readBackMs: number | null;
  /** Why it is not proven. */
  readonly failure: BackupError | null;
  readonly notes: readonly string[];
}

export type DrillEvent =
  | { readonly kind: "swept"; readonly name: string }
  | { readonly kind: "scratch-made"; readonly name: string; readonly vhost: string }
  | {
      readonly kind: "planned";
      readonly backup: string;
      readonly queues: readonly { readonly queue: QueueAddress; readonly messages: number }[];
    }
  | { readonly kind: "queue-begun"; readonly queue: QueueAddress; readonly messages: number }
  | {
      readonly kind: "queue-progress";
      readonly queue: QueueAddress;
      readonly messages: number;
      readonly confirmed: number;
      readonly bodyBytes: number;
    }
  | { readonly kind: "queue-read-back"; readonly queue: QueueAddress; readonly compared: number }
  | { readonly kind: "blocked"; readonly queue: QueueAddress; readonly reason: string | null }
  | { readonly kind: "queue-finished"; readonly queue: DrilledQueue }
  | { readonly kind: "scratch-removed"; readonly name: string }
  | ({ readonly kind: "scratch-left" } & NotRemoved);
