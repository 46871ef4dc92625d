import type { DrilledQueue, DrillEvent } from "../usecases/drill-types.ts";
import { addressOf, keyOf } from "./backup-progress.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { visible } from "./terminal-text.ts";
import { Throttle } from "./throttle.ts";
import { formatCounted, formatDuration } from "./units.ts";

/** Shows a drill's events as they come. */
export function showDrill(progress: Progress, output: Output): (event: DrillEvent) => void {
  const throttle = new Throttle();
  const { verbose, quiet, noProgress } = output.options;
  return (event) => {
    if (!isFrequent(event) || throttle.isDue(event.kind + keyOf(event.queue)))
      progress.event(eventJson(event));
    const line = lineOf(event, verbose);
    if (line !== null) {
      const proven = event.kind === "queue-finished" && event.queue.outcome === "proven";
      progress.line(line, { shownWithBars: !proven });
      // A drill that fails says only why, and what is still at the broker somebody has to know.
      if (event.kind === "scratch-left" && (quiet || noProgress)) output.complain([line]);
    }
    switch (event.kind) {
      case "planned":
        progress.expect(new Map(event.queues.map(({ queue, messages }) => [keyOf(queue), messages])));
        break;
      case "queue-begun":
        progress.begin(keyOf(event.queue), { name: visible(event.queue.name), total: event.messages });
        break;
      case "queue-progress":
        progress.advance(keyOf(event.queue), event.confirmed, event.bodyBytes);
        break;
      case "queue-read-back":
        progress.advance(keyOf(event.queue), event.compared, 0);
        break;
      case "queue-finished":
        progress.end(keyOf(event.queue.queue));
        break;
      default:
        break;
    }
  };
}

type Frequent = Extract<DrillEvent, { kind: "queue-progress" | "queue-read-back" }>;

function isFrequent(event: DrillEvent): event is Frequent {
  return event.kind === "queue-progress" || event.kind === "queue-read-back";
}

function lineOf(event: DrillEvent, verbose: boolean): string | null {
  switch (event.kind) {
    case "swept":
      return verbose ? `virtual host ${visible(event.name)} of an earlier drill removed` : null;
    case "scratch-made":
      return verbose ? `virtual host ${visible(event.name)} made for ${visible(event.vhost)}` : null;
    case "scratch-removed":
      return verbose ? `virtual host ${visible(event.name)} removed` : null;
    case "scratch-left":
      return `virtual host ${visible(event.name)} could not be removed, the next drill tries again: ${visible(event.why)}`;
    case "blocked": {
      const name = visible(event.queue.name);
      if (event.reason === null) return `${name}: the broker takes messages again`;
      return `${name}: the broker takes nothing just now: ${visible(event.reason)}`;
    }
    case "queue-finished":
      return finishedLine(event.queue);
    default:
      return null;
  }
}

function finishedLine({ queue, outcome, messages, restoreMs, readBackMs, failure }: DrilledQueue): string {
  const why = failure === null ? "" : `: ${visible(failure.message)}`;
  const took = formatDuration((restoreMs ?? 0) + (readBackMs ?? 0));
  return `${visible(queue.name)}: ${outcome}, ${formatCounted(messages, "message")} in ${took}${why}`;
}

function eventJson(event: DrillEvent): Readonly<Record<string, unknown>> {
  const { kind: name } = event;
  switch (event.kind) {
    case "swept":
    case "scratch-removed":
      return { event: name, scratch: event.name };
    case "scratch-made":
      return { event: name, scratch: event.name, vhost: event.vhost };
    case "scratch-left":
      return { event: name, scratch: event.name, why: event.why };
    case "planned":
      return { event: name, backup: event.backup, queues: event.queues.length };
    case "queue-finished": {
      const { queue, outcome, messages, compared, failure } = event.queue;
      return { event: name, ...addressOf(queue), outcome, messages, compared, why: failure?.message ?? null };
    }
    default: {
      const { kind: _kind, queue, ...rest } = event;
      return { event: name, ...addressOf(queue), ...rest };
    }
  }
}
