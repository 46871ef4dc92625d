/** Not less than 0: a clock may be set back in between. */
export function millisecondsBetween(from: Date, to: Date): number {
  return Math.max(0, to.getTime() - from.getTime());
}
