/** What is shown of one piece of work: so much of so much, in its own words. */
export interface Piece {
  readonly name: string;
  /** null: not known. */
  readonly total: number | null;
}

/** How far work has come, for whoever watches. Disposing clears what would be left on the terminal. */
export interface Progress extends Disposable {
  /** What is to come, before the first begins. */
  expect(pieces: ReadonlyMap<string, number | null>): void;
  begin(key: string, piece: Piece): void;
  advance(key: string, done: number, bytes: number): void;
  end(key: string): void;
  /** Something happened; `shownWithBars` false: the bars say it already. */
  line(text: string, options?: { readonly shownWithBars: boolean }): void;
  /** For machines: one event. */
  event(event: Readonly<Record<string, unknown>>): void;
}
