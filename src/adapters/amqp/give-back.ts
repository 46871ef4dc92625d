import type { DeliverySource } from "./delivery-source.ts";
import type { HeldChannel } from "./held-channel.ts";
import { countWhileHeld, untilCounted, untilShown } from "./quorum-count.ts";

/** What the held channel has been given so far; changes as deliveries come. */
export interface HeldState {
  readonly delivered: number;
  /** Delivery tag of the first; those behind it follow without a hole. */
  readonly firstTag: number;
  /** Of the newest delivery. */
  readonly lastRedelivered: boolean;
}

/** What is held, and how it is settled. */
export interface Holding {
  readonly held: Pick<HeldChannel, "gone" | "count" | "requeueTo" | "acknowledgeTo">;
  readonly source: DeliverySource;
  readonly state: HeldState;
  /** A quorum queue: it carries out what it is told later, and in the order it likes when too much is told at once. */
  readonly quorum: boolean;
}

/** How long the rest of a queue may take to be held so that it can go back in order. */
const REST_MS = 10_000;
const LOOK_EVERY_MS = 50;
/** How long a queue may take to carry out a settlement. */
const SETTLE_MS = 30_000;
/**
 * Consumers of a quorum queue settled at once. A channel sends 32 commands ahead of the queue's answers, one a consumer; what is
 * beyond is sent later, in no order, and never when the channel is closed before (`rabbit_fifo_client`, `unsent_commands`).
 */
const CONSUMERS_AT_ONCE = 16;

/**
 * Quorum queues keep what was given back apart, and serve it first; what is given back goes to the end of that. So whoever takes a
 * part of it and gives that part back puts it behind the rest, for good. Measured on 3.10, 4.0 and 4.3. Therefore, once begun, all
 * of it must be held before anything is released: until a message comes that was never delivered before, or none is ready.
 *
 * True: the release will keep the order.
 */
export async function holdTheRest({ held, source, state }: Holding): Promise<boolean> {
  const deadline = Date.now() + REST_MS;
  while (mayBeOfThose(source, state)) {
    if (held.gone || Date.now() > deadline) return false;
    if (state.delivered >= source.capacity) {
      if (!source.room) return false;
      await source.add();
    }
    const before = state.delivered;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    if (state.delivered !== before) continue;
    const count = await countWhileHeld(held);
    if (count?.ready === 0 && state.delivered === before) return true;
  }
  return true;
}

/** Whether what is held, or on its way to us, may have been given back before, and more like it may be in the queue. */
export function mayBeOfThose(
  source: Pick<DeliverySource, "capacity">,
  state: Pick<HeldState, "delivered" | "lastRedelivered">,
): boolean {
  return source.capacity > 0 && (state.delivered === 0 || state.lastRedelivered);
}

/**
 * Cancels the consumers and gives back by nack all but the first `from`. Resolves when the queue has it: nobody should find it half
 * given back.
 */
export async function nackAll(holding: Holding, from: number): Promise<void> {
  const { held, source, state } = holding;
  await source.cancelAll();
  let settled = from;
  do {
    // What was on its way when the consumers were cancelled is here when this is answered.
    await held.count();
    const to = state.delivered;
    await settle(holding, settled, to, (tag) => held.requeueTo(tag));
    settled = to;
  } while (state.delivered > settled);
}

/** Removes the first `messages` held from the queue, after the consumers were cancelled. Resolves when the queue has done it. */
export async function acknowledge(holding: Holding, messages: number): Promise<void> {
  await settle(holding, 0, messages, (tag) => holding.held.acknowledgeTo(tag));
}

async function settle(
  { held, source, state, quorum }: Holding,
  from: number,
  to: number,
  send: (tag: number) => void,
): Promise<void> {
  for (const portion of portions(source.slices, state.delivered, from, to)) {
    const before = quorum ? await untilCounted(held, SETTLE_MS) : null;
    send(state.firstTag + portion.end - 1);
    if (before === null) await held.count();
    else {
      await untilShown(
        () => held.count(),
        (now) =>
          now.consumers <= before.consumers - portion.consumers ||
          now.ready >= before.ready + portion.messages,
        SETTLE_MS,
      );
    }
  }
}

interface Portion {
  /** Deliveries up to and with the last of it. */
  readonly end: number;
  readonly messages: number;
  /** Consumers that hold nothing any more once it is settled: then they are gone, being cancelled. */
  readonly consumers: number;
}

/** Deliveries `from` to `to`, cut where consumers end. */
function portions(slices: readonly number[], delivered: number, from: number, to: number): Portion[] {
  const found: Portion[] = [];
  let [begin, start, consumers] = [from, 0, 0];
  const cut = (end: number): void => {
    if (end > begin) found.push({ end, messages: end - begin, consumers });
    [begin, consumers] = [end, 0];
  };
  for (const slice of slices) {
    const end = Math.min(slice, delivered);
    if (end > to || end === start) break;
    if (end > from) consumers += 1;
    if (consumers === CONSUMERS_AT_ONCE) cut(end);
    start = end;
  }
  cut(to);
  return found;
}
