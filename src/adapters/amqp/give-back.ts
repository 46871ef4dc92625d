import type { DeliverySource } from "./delivery-source.ts";
import type { HeldChannel } from "./held-channel.ts";

/** What the held channel has been given so far; changes as deliveries come. */
export interface HeldState {
  readonly delivered: number;
  /** Of the newest delivery. */
  readonly lastRedelivered: boolean;
}

/** How long a broker may take to show what was given back. Expired messages never show. */
const RETURN_MS = 2000;
/** How long the rest of a queue may take to be held so that it can go back in order. */
const REST_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Quorum queues keep what was given back apart, and serve it first; what is given back goes to the end of that. So whoever takes a
 * part of it and gives that part back puts it behind the rest, for good. Measured on 3.10, 4.0 and 4.3. Therefore, once begun, all
 * of it must be held before anything is released: until a message comes that was never delivered before, or none is ready.
 *
 * True: the release will keep the order.
 */
export async function holdTheRest(
  held: HeldChannel,
  source: DeliverySource,
  state: HeldState,
): Promise<boolean> {
  const deadline = Date.now() + REST_MS;
  while (state.delivered > 0 && state.lastRedelivered) {
    if (held.ended || Date.now() > deadline) return false;
    if (state.delivered >= source.capacity) {
      if (!source.room) return false;
      await source.add();
    }
    const before = state.delivered;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    if (state.delivered === before && (await held.ready()) === 0) return true;
  }
  return true;
}

/**
 * Cancels the consumers and gives everything back by one nack, in bulk: one by one is quadratic on classic queues. Resolves when the
 * broker shows it: a quorum queue takes a nack at once and carries it out later, and nobody should attach to it half given back.
 */
export async function nackAll(held: HeldChannel, source: DeliverySource, state: HeldState): Promise<void> {
  await source.cancelAll();
  const deadline = Date.now() + RETURN_MS;
  let nacked = 0;
  for (;;) {
    // After the cancel nothing new is sent, but what was on its way may arrive after the first nack.
    const outstanding = state.delivered - nacked;
    nacked = state.delivered;
    if (outstanding > 0) held.requeueAll();
    const { messageCount, consumerCount } = await held.count();
    const shown = messageCount >= nacked || consumerCount > 0 || Date.now() > deadline;
    if (state.delivered === nacked && shown) return;
  }
}
