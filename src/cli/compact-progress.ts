import type { CompactEvent } from "../usecases/compact-types.ts";
import { archiveJson, archiveText } from "./archive-events.ts";
import { addressOf, keyOf } from "./backup-progress.ts";
import { leaseJson, leaseLine } from "./lease-events.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { visible } from "./terminal-text.ts";
import { Throttle } from "./throttle.ts";
import { formatBytes, formatCounted } from "./units.ts";

/** Shows a compaction's events as they come. */
export function showCompact(progress: Progress, output: Output): (event: CompactEvent) => void {
  const throttle = new Throttle();
  const verbose = (text: string): void => {
    if (output.options.verbose) progress.line(text);
  };
  return (event) => {
    if (event.kind !== "queue-progress" || throttle.isDue(keyOf(event.queue))) {
      progress.event(eventJson(event));
    }
    switch (event.kind) {
      case "lease-broken":
      case "removal-refused":
      case "puts-unconditional":
        progress.line(leaseLine(event));
        break;
      case "target-given-up":
        progress.line(archiveText(event));
        break;
      case "queue-begun":
        progress.begin(keyOf(event.queue), { name: visible(event.queue.name), total: event.messages });
        break;
      case "queue-progress":
        progress.advance(keyOf(event.queue), event.messages, event.bodyBytes);
        break;
      case "queue-finished": {
        const { queue, messages, bodyBytes } = event;
        progress.end(keyOf(queue));
        const copied = `${formatCounted(messages, "message")}, ${formatBytes(bodyBytes)}`;
        progress.line(`${visible(queue.name)}: ${copied}`, { shownWithBars: false });
        break;
      }
      case "begun":
      case "volume-shipped":
      case "spool-full":
      case "committed":
      case "copy-begun":
      case "copy-ended":
        verbose(archiveText(event));
        break;
    }
  };
}

function eventJson(event: CompactEvent): Readonly<Record<string, unknown>> {
  switch (event.kind) {
    case "lease-broken":
    case "removal-refused":
    case "puts-unconditional":
      return leaseJson(event);
    case "queue-begun":
      return { event: event.kind, ...addressOf(event.queue), messages: event.messages };
    case "queue-progress":
    case "queue-finished": {
      const { messages, bodyBytes } = event;
      return { event: event.kind, ...addressOf(event.queue), messages, bodyBytes };
    }
    case "begun":
    case "volume-shipped":
    case "spool-full":
    case "target-given-up":
    case "committed":
    case "copy-begun":
    case "copy-ended":
      return archiveJson(event);
  }
}
