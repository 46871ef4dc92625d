import type { RestoreEvent, RestoredQueue } from "../usecases/restore-types.ts";
import { addressOf, keyOf } from "./backup-progress.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { visible } from "./terminal-text.ts";
import { Throttle } from "./throttle.ts";
import { formatCount, formatCounted, formatDuration } from "./units.ts";

/** Shows a restore's events as they come. */
export function showRestore(progress: Progress, output: Output): (event: RestoreEvent) => void {
  const throttle = new Throttle();
  const verbose = (text: string): void => {
    if (output.options.verbose) progress.line(text);
  };
  return (event) => {
    if (!isFrequent(event) || throttle.isDue(event.kind + keyOf(event.destination)))
      progress.event(eventJson(event));
    switch (event.kind) {
      case "selected":
        verbose(
          `${visible(event.source.name)}: ${formatCount(event.messages)} of ${formatCounted(event.of, "message")} selected`,
        );
        break;
      case "planned":
        progress.expect(
          new Map(event.plan.queues.map((queue) => [keyOf(queue.destination), queue.messages])),
        );
        verbose(`${formatCounted(event.plan.queues.length, "queue")} to restore from backup ${event.backup}`);
        break;
      case "declared":
        verbose(`declared ${visible(event.what)}`);
        break;
      case "queue-begun":
        progress.begin(keyOf(event.destination), {
          name: visible(event.destination.name),
          total: event.messages,
        });
        break;
      case "queue-progress":
        progress.advance(keyOf(event.destination), event.confirmed, event.bodyBytes);
        break;
      case "queue-read-back":
        progress.advance(keyOf(event.destination), event.compared, 0);
        break;
      case "blocked":
        progress.line(
          event.reason === null
            ? `${visible(event.destination.name)}: the broker takes messages again`
            : `${visible(event.destination.name)}: the broker takes nothing just now: ${visible(event.reason)}`,
        );
        break;
      case "queue-finished":
        progress.end(keyOf(event.queue.destination));
        progress.line(finishedLine(event.queue), { shownWithBars: event.queue.outcome !== "restored" });
        break;
    }
  };
}

function isFrequent(
  event: RestoreEvent,
): event is Extract<RestoreEvent, { kind: "queue-progress" | "queue-read-back" }> {
  return event.kind === "queue-progress" || event.kind === "queue-read-back";
}

function finishedLine({
  destination,
  outcome,
  confirmed,
  messages,
  durationMs,
  failure,
}: RestoredQueue): string {
  const why = failure === null ? "" : `: ${visible(failure.message)}`;
  return `${visible(destination.name)}: ${outcome}, ${formatCount(confirmed)} of ${formatCounted(messages, "message")} in ${formatDuration(durationMs)}${why}`;
}

function eventJson(event: RestoreEvent): Readonly<Record<string, unknown>> {
  const { kind: name } = event;
  switch (event.kind) {
    case "selected":
      return { event: name, ...addressOf(event.source), messages: event.messages, of: event.of };
    case "planned":
      return { event: name, backup: event.backup, queues: event.plan.queues.length };
    case "declared":
      return { event: name, what: event.what };
    case "queue-begun":
      return { event: name, ...addressOf(event.destination), messages: event.messages, from: event.from };
    case "queue-progress": {
      const { messages, confirmed, published, bodyBytes } = event;
      return { event: name, ...addressOf(event.destination), messages, confirmed, published, bodyBytes };
    }
    case "blocked":
      return { event: name, ...addressOf(event.destination), reason: event.reason };
    case "queue-read-back":
      return { event: name, ...addressOf(event.destination), compared: event.compared };
    case "queue-finished": {
      const { destination, outcome, confirmed, messages, failure } = event.queue;
      const why = failure?.message ?? null;
      return { event: name, ...addressOf(destination), outcome, confirmed, messages, why };
    }
  }
}
