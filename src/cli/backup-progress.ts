import type { QueueAddress } from "../domain/queue.ts";
import type { BackupEvent } from "../usecases/backup-types.ts";
import { archiveJson, archiveText } from "./archive-events.ts";
import { leaseJson, leaseLine } from "./lease-events.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { Throttle } from "./throttle.ts";
import { visible } from "./terminal-text.ts";
import { formatBytes, formatCounted, formatDuration } from "./units.ts";

/** Shows a backup's events as they come. */
export function showBackup(progress: Progress, output: Output): (event: BackupEvent) => void {
  const throttle = new Throttle();
  const verbose = (text: string): void => {
    if (output.options.verbose) progress.line(text);
  };
  return (event) => {
    if (event.kind !== "queue-progress" || throttle.isDue(keyOf(event.queue)))
      progress.event(eventJson(event));
    switch (event.kind) {
      case "lease-broken":
      case "removal-refused":
      case "puts-unconditional":
        progress.line(leaseLine(event));
        break;
      case "surveyed":
        progress.expect(
          new Map(
            event.verdicts.flatMap(({ queue, recipe }) =>
              recipe === null ? [] : [[keyOf(queue), queue.counts.ready] as const],
            ),
          ),
        );
        verbose(`${formatCounted(event.verdicts.length, "queue")} wanted`);
        break;
      case "earlier-finished":
        progress.line(
          `backup ${event.id}, which an earlier run did not get to commit to ${visible(event.location)}, is finished there`,
        );
        break;
      case "resumed":
      case "target-given-up":
        progress.line(archiveText(event));
        break;
      case "queue-begun":
        progress.begin(keyOf(event.queue), { name: visible(event.queue.name), total: event.messages });
        break;
      case "queue-progress":
        progress.advance(keyOf(event.queue), event.messages, event.bodyBytes);
        break;
      case "queue-finished":
        progress.end(keyOf(event.entry));
        progress.line(finishedLine(event.entry), { shownWithBars: event.entry.outcome !== "complete" });
        break;
      case "begun":
      case "volume-shipped":
      case "spool-full":
      case "committed":
      case "copy-begun":
      case "copy-ended":
        verbose(archiveText(event));
        break;
      case "queue-drained":
        verbose(
          event.removal.failure === null
            ? `${visible(event.removal.queue.name)} drained`
            : `${visible(event.removal.queue.name)} not drained: ${visible(event.removal.failure.message)}`,
        );
        break;
    }
  };
}

export function keyOf({ vhost, name }: QueueAddress): string {
  return JSON.stringify([vhost, name]);
}

type Entry = Extract<BackupEvent, { kind: "queue-finished" }>["entry"];

function finishedLine(entry: Entry): string {
  const name = visible(entry.name);
  if (entry.skipped !== null) return `${name}: skipped: ${visible(entry.skipped.message)}`;
  const took = entry.holdMs === null ? "" : `, held ${formatDuration(entry.holdMs)}`;
  const gaps = entry.outcome === "partial" ? `, with ${formatCounted(entry.gaps.length, "gap")}` : "";
  return `${name}: ${formatCounted(entry.messages, "message")}, ${formatBytes(entry.bodyBytes)}${took}${gaps}`;
}

function eventJson(event: BackupEvent): Readonly<Record<string, unknown>> {
  const { kind: name } = event;
  switch (event.kind) {
    case "lease-broken":
    case "removal-refused":
    case "puts-unconditional":
      return leaseJson(event);
    case "surveyed":
      return { event: name, queues: event.verdicts.length };
    case "queue-begun":
      return { event: name, ...addressOf(event.queue), messages: event.messages };
    case "queue-progress":
      return { event: name, ...addressOf(event.queue), messages: event.messages, bodyBytes: event.bodyBytes };
    case "queue-finished": {
      const { outcome, messages, bodyBytes, holdMs, skipped, gaps } = event.entry;
      return { event: name, ...addressOf(event.entry), outcome, messages, bodyBytes, holdMs, skipped, gaps };
    }
    case "begun":
    case "resumed":
    case "volume-shipped":
    case "spool-full":
    case "target-given-up":
    case "committed":
    case "copy-begun":
    case "copy-ended":
      return archiveJson(event);
    case "earlier-finished":
      return { event: name, id: event.id, target: event.location };
    case "queue-drained": {
      const { queue, failure } = event.removal;
      return { event: name, ...addressOf(queue), removed: failure === null, why: failure?.message ?? null };
    }
  }
}

export function addressOf({ vhost, name }: QueueAddress): { readonly vhost: string; readonly queue: string } {
  return { vhost, queue: name };
}
