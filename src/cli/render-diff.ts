import type { QueueDiff, QueueSide } from "../domain/backup-diff.ts";
import type { BackupDiff } from "../usecases/diff.ts";
import { severalVhosts } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatCount, formatCounted } from "./units.ts";

export function diffLines(diff: BackupDiff, paint: Paint): readonly string[] {
  const { first, second, queues } = diff;
  const withVhost = severalVhosts(queues);
  const [title = "", ...lines] = formatTable(
    [
      ...(withVhost ? [{ title: "VHOST" }] : []),
      { title: "QUEUE" },
      { title: "BEFORE", align: "right" },
      { title: "AFTER", align: "right" },
      { title: "KEPT", align: "right" },
      { title: "ADDED", align: "right" },
      { title: "GONE", align: "right" },
      { title: "" },
    ],
    queues.map((queue) => [...(withVhost ? [visible(queue.vhost)] : []), ...cellsOf(queue)]),
  );
  const { kept, added, gone, unread } = totals(diff);
  const rest = unread === 0 ? "" : `; nothing can be said of ${formatCounted(unread, "queue")}`;
  return [
    paint(`from ${first} to ${second}`, "bold"),
    "",
    paint(title, "dim"),
    ...lines,
    "",
    `${formatCounted(kept, "message")} kept, ${formatCount(added)} added, ${formatCount(gone)} gone${rest}`,
  ];
}

export function diffJson(diff: BackupDiff): unknown {
  const { unread, ...sums } = totals(diff);
  return {
    first: diff.first,
    second: diff.second,
    queues: diff.queues.map(({ vhost, name, before, after, messages }) => ({
      vhost,
      name,
      state: stateOf({ before, after, messages }),
      before,
      after,
      kept: messages?.kept ?? null,
      added: messages?.added ?? null,
      gone: messages?.gone ?? null,
      reordered: messages?.reordered ?? null,
    })),
    ...sums,
    unread,
  };
}

type QueueState = "same" | "changed" | "new" | "gone" | "skipped";

/** Skipped: by one of the two. New and gone: it is in one of the two alone. */
function stateOf({ before, after, messages }: Pick<QueueDiff, "before" | "after" | "messages">): QueueState {
  if (messages === null) return "skipped";
  if (before === null) return "new";
  if (after === null) return "gone";
  return messages.added === 0 && messages.gone === 0 && !messages.reordered ? "same" : "changed";
}

function cellsOf(queue: QueueDiff): readonly string[] {
  const { name, before, after, messages } = queue;
  const state = stateOf(queue);
  const count = (side: QueueSide | null): string =>
    side === null || side.outcome === "skipped" ? "-" : formatCount(side.messages);
  return [
    visible(name),
    count(before),
    count(after),
    messages === null ? "-" : formatCount(messages.kept),
    messages === null ? "-" : formatCount(messages.added),
    messages === null ? "-" : formatCount(messages.gone),
    [
      ...(state === "new" || state === "gone" ? [`${state} queue`] : []),
      ...sidesOf(queue, "skipped"),
      ...sidesOf(queue, "partial"),
      ...(messages?.reordered === true ? ["reordered"] : []),
    ].join(", "),
  ];
}

/** "skipped before", "partial after" */
function sidesOf({ before, after }: QueueDiff, outcome: "skipped" | "partial"): readonly string[] {
  return [
    ...(before?.outcome === outcome ? [`${outcome} before`] : []),
    ...(after?.outcome === outcome ? [`${outcome} after`] : []),
  ];
}

function totals({ queues }: BackupDiff) {
  const sum = (of: "kept" | "added" | "gone"): number =>
    queues.reduce((all, { messages }) => all + (messages?.[of] ?? 0), 0);
  return {
    kept: sum("kept"),
    added: sum("added"),
    gone: sum("gone"),
    unread: queues.filter(({ messages }) => messages === null).length,
  };
}
