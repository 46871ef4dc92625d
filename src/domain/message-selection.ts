import type { SequenceRange } from "./sequence-range.ts";

/** Which messages of each queue are asked for. */
export interface MessageSelection {
  readonly range: SequenceRange;
  /** A condition, as it was written; null: all of the range. */
  readonly filter: { readonly text: string } | null;
}

export function isSelective({ range, filter }: MessageSelection): boolean {
  return range.from > 0 || range.to !== null || filter !== null;
}

/** The flags that decide which messages a restore takes and where it sends them: a broken-off one goes on only with the same. */
export function describeTask(request: MessageSelection & { readonly toOrigin: boolean }): string {
  const selection = describeSelection(request);
  if (!request.toOrigin) return selection;
  return selection === "" ? "--to-origin" : `${selection} --to-origin`;
}

/** As one would write it on the command line; "" when nothing is left out. The same text means the same messages of a backup. */
export function describeSelection({ range, filter }: MessageSelection): string {
  return [
    ...(range.from > 0 ? [`--from-seq ${range.from}`] : []),
    ...(range.to === null ? [] : [`--to-seq ${range.to}`]),
    ...(filter === null ? [] : [`--where '${filter.text}'`]),
  ].join(" ");
}
