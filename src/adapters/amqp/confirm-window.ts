/**
 * What was sent and what the broker has confirmed of it. Messages are numbered from 1 in the order sent, as the broker numbers
 * them on a channel in confirm mode. Confirms may come one by one and in any order.
 */
export class ConfirmWindow {
  readonly #capacity: number;
  /** By number modulo capacity: 1 when confirmed before one of its predecessors. */
  readonly #early: Uint8Array;
  readonly #bytes: Float64Array;
  readonly #marks: { readonly number: number; readonly at: number }[] = [];
  #sent = 0;
  #settled = 0;
  #inFlightBytes = 0;
  /** The lowest number the broker would not take. */
  #refused = Number.POSITIVE_INFINITY;

  /** @param messages How many may be unconfirmed at once. */
  constructor(messages: number) {
    this.#capacity = messages;
    this.#early = new Uint8Array(messages);
    this.#bytes = new Float64Array(messages);
  }

  get sent(): number {
    return this.#sent;
  }

  /** How many messages, from the first, are confirmed without a hole. */
  get confirmed(): number {
    return Math.min(this.#settled, this.#refused - 1);
  }

  get inFlight(): number {
    return this.#sent - this.#settled;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** There must be room: `inFlight` below the capacity. */
  add(bytes: number): void {
    this.#sent++;
    const slot = this.#sent % this.#capacity;
    this.#early[slot] = 0;
    this.#bytes[slot] = bytes;
    this.#inFlightBytes += bytes;
  }

  /** Remembers when the newest message was sent. */
  mark(at: number): void {
    this.#marks.push({ number: this.#sent, at });
  }

  /** The broker settled this message, or all up to it; `refused`: it did not take them. */
  settle(number: number, multiple: boolean, refused: boolean): void {
    if (number > this.#sent) return;
    if (refused) this.refuse(multiple ? this.#settled + 1 : number);
    if (multiple) {
      while (this.#settled < number) this.#advance();
    } else if (number === this.#settled + 1) {
      this.#advance();
    } else if (number > this.#settled) {
      this.#early[number % this.#capacity] = 1;
    }
    while (this.#settled < this.#sent && this.#early[(this.#settled + 1) % this.#capacity] === 1)
      this.#advance();
  }

  /** `confirmed` will never reach this message. */
  refuse(number: number): void {
    this.#refused = Math.min(this.#refused, number);
  }

  /** The times of the marked messages that were settled since the last call. */
  takeMarks(): readonly number[] {
    let count = 0;
    while ((this.#marks[count]?.number ?? Number.POSITIVE_INFINITY) <= this.#settled) count++;
    return this.#marks.splice(0, count).map((mark) => mark.at);
  }

  #advance(): void {
    this.#settled++;
    const slot = this.#settled % this.#capacity;
    this.#early[slot] = 0;
    this.#inFlightBytes -= this.#bytes[slot] ?? 0;
  }
}
