import type { Fallback } from "../ports/store.ts";
import type { Output } from "./output.ts";

/** What was read from another target than the first: nothing is lost, but somebody has to know. */
export class Fallbacks {
  readonly #found: Fallback[] = [];

  readonly add = (fallback: Fallback): void => {
    this.#found.push(fallback);
  };

  /** Also for those who want quiet. */
  warn(output: Output): void {
    for (const fallback of this.#found) output.warn(fallbackText(fallback));
  }

  json(): readonly unknown[] {
    return this.#found.map(({ key, from, to, why }) => ({
      key,
      from,
      to,
      code: why.code,
      message: why.message,
    }));
  }
}

export function fallbackText({ key, from, to, why }: Fallback): string {
  return `${key} was read at ${to}, not at ${from}: ${why.message}`;
}
