import type { BackupError } from "../domain/errors.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { RestoreTarget } from "../domain/restore-targets.ts";
import { drilledQueue, undrilledQueue } from "./drill-outcome.ts";
import type { DrillDeps, DrilledQueue } from "./drill-types.ts";
import type { RestoredQueue, RestoreEvent } from "./restore-types.ts";

/** What is known of a queue under way. */
interface Underway {
  readonly target: RestoreTarget;
  begunMs: number | null;
  compared: number;
  drilled: DrilledQueue | null;
}

/** Tells a drill's events by the queues of the backup, not by those in the scratch, and keeps what came of each. */
export class DrillReport {
  readonly #deps: Pick<DrillDeps, "now" | "report">;
  readonly #underway = new Map<string, Underway>();

  constructor(deps: Pick<DrillDeps, "now" | "report">, backup: string, targets: readonly RestoreTarget[]) {
    this.#deps = deps;
    for (const target of targets) {
      this.#underway.set(keyOf(target.destination), { target, begunMs: null, compared: 0, drilled: null });
    }
    const queues = targets.map(({ source, messages }) => ({ queue: addressOf(source), messages }));
    deps.report({ kind: "planned", backup, queues });
  }

  /** In the order of the backup. */
  get queues(): readonly DrilledQueue[] {
    return [...this.#underway.values()].flatMap(({ drilled }) => drilled ?? []);
  }

  refused(target: RestoreTarget, why: BackupError): void {
    const underway = this.#underway.get(keyOf(target.destination));
    if (underway) this.#finish(underway, undrilledQueue(target, why));
  }

  restoring(event: RestoreEvent): void {
    if (event.kind === "planned" || event.kind === "declared" || event.kind === "selected") return;
    const { report } = this.#deps;
    const destination = event.kind === "queue-finished" ? event.queue.destination : event.destination;
    const underway = this.#underway.get(keyOf(destination));
    if (underway === undefined) return;
    const queue = addressOf(underway.target.source);
    switch (event.kind) {
      case "queue-begun":
        underway.begunMs = this.#deps.now().getTime();
        report({ kind: "queue-begun", queue, messages: event.messages });
        break;
      case "queue-progress": {
        const { messages, confirmed, bodyBytes } = event;
        report({ kind: "queue-progress", queue, messages, confirmed, bodyBytes });
        break;
      }
      case "queue-read-back":
        underway.compared = event.compared;
        report({ kind: "queue-read-back", queue, compared: event.compared });
        break;
      case "blocked":
        report({ kind: "blocked", queue, reason: event.reason });
        break;
      case "queue-finished":
        this.#finish(underway, this.#drilled(underway, event.queue));
        break;
    }
  }

  #drilled({ target, begunMs, compared }: Underway, restored: RestoredQueue): DrilledQueue {
    const restoreMs = begunMs === null ? null : restored.durationMs;
    const wholeMs = begunMs === null ? 0 : this.#deps.now().getTime() - begunMs;
    const readBackMs = restored.readBack === null ? null : Math.max(0, wholeMs - restored.durationMs);
    return drilledQueue(target, restored, compared, { restoreMs, readBackMs });
  }

  #finish(underway: Underway, drilled: DrilledQueue): void {
    underway.drilled = drilled;
    this.#deps.report({ kind: "queue-finished", queue: drilled });
  }
}

function keyOf({ vhost, name }: QueueAddress): string {
  return JSON.stringify([vhost, name]);
}

function addressOf({ vhost, name }: QueueAddress): QueueAddress {
  return { vhost, name };
}
