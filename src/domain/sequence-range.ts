/** Messages of a queue by their place in it, from 0; both ends belong to it. `to` null: up to the last. */
export interface SequenceRange {
  readonly from: number;
  readonly to: number | null;
}

export const ALL_MESSAGES: SequenceRange = { from: 0, to: null };

/** The first place behind the range. */
export function rangeEnd({ to }: SequenceRange): number {
  return to === null ? Number.POSITIVE_INFINITY : to + 1;
}
