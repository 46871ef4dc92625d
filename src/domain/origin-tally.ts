import { deathOrigin } from "./death-origin.ts";
import type { MessageRecord } from "./message.ts";
import { isCopied } from "./outgoing.ts";

export interface OriginCount {
  /** As text; bytes that are not UTF-8 become U+FFFD. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly messages: number;
}

/** Messages that are all alike in one thing: how many, and the sequence of the first. */
export interface Alike {
  readonly messages: number;
  readonly first: number;
}

/** So many origins are told apart. */
const MAX_ORIGINS = 1000;

/** Where the messages of one queue go when each goes back to where it died from. */
export class OriginTally {
  readonly #counts = new Map<string, OriginCount>();
  #others = 0;
  #unknown: Alike | null = null;
  #copied: Alike | null = null;

  take(sequence: number, { properties }: Pick<MessageRecord, "properties">): void {
    const origin = deathOrigin(properties);
    if (origin === null) {
      this.#unknown = alike(this.#unknown, sequence);
      return;
    }
    if (isCopied(properties)) this.#copied = alike(this.#copied, sequence);
    const exchange = textOf(origin.exchange);
    const routingKey = textOf(origin.routingKey);
    const key = JSON.stringify([exchange, routingKey]);
    const messages = (this.#counts.get(key)?.messages ?? 0) + 1;
    if (messages === 1 && this.#counts.size === MAX_ORIGINS) this.#others += 1;
    else this.#counts.set(key, { exchange, routingKey, messages });
  }

  /** Most messages first. */
  get origins(): readonly OriginCount[] {
    return [...this.#counts.values()].toSorted((a, b) => b.messages - a.messages);
  }

  /** Messages whose origin is not among `origins`, because there are so many. */
  get others(): number {
    return this.#others;
  }

  /** No `x-death` tells where they came from; null: there are none. */
  get unknown(): Alike | null {
    return this.#unknown;
  }

  /** They have a CC or BCC header; null: there are none. */
  get copied(): Alike | null {
    return this.#copied;
  }
}

function alike(before: Alike | null, sequence: number): Alike {
  return { messages: (before?.messages ?? 0) + 1, first: before?.first ?? sequence };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
