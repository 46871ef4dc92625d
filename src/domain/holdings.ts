import type { Manifest, QueueEntry } from "./manifest.ts";

/** Messages of a queue: in the backup's own segments, and in those of others. */
export interface QueueHolding {
  readonly own: number;
  readonly kept: number;
}

/** What a backup needs of another one. */
export interface KeptFrom {
  readonly backup: string;
  readonly queues: number;
  readonly messages: number;
}

export function holdingOf({ content }: Pick<QueueEntry, "content">): QueueHolding {
  const count = (kind: "new" | "kept"): number =>
    content.reduce((sum, range) => sum + (range.kind === kind ? range.count : 0), 0);
  return { own: count("new"), kept: count("kept") };
}

/** The backups without which this one does not restore, oldest name first. */
export function keptFrom({ queues }: Pick<Manifest, "queues">): readonly KeptFrom[] {
  const found = new Map<string, { readonly queues: Set<number>; messages: number }>();
  for (const { ordinal, content } of queues) {
    for (const range of content) {
      if (range.kind === "new") continue;
      const from = found.get(range.backup) ?? { queues: new Set<number>(), messages: 0 };
      found.set(range.backup, from);
      from.queues.add(ordinal);
      from.messages += range.count;
    }
  }
  return [...found]
    .map(([backup, from]) => ({ backup, queues: from.queues.size, messages: from.messages }))
    .toSorted((a, b) => (a.backup < b.backup ? -1 : 1));
}
