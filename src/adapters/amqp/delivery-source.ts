import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { HeldChannel } from "./held-channel.ts";

/** basic.qos is a uint16. */
const MAX_PREFETCH = 65_535;
/** What one consumer's window of a quorum queue may make the broker buffer when we are slow, bytes. */
const WINDOW_BYTES = 64 * 1024 * 1024;
/** Messages of a window where each of them costs a delivery. */
const WINDOW_SPENDING = 64;
/** Assumed when nobody could say. */
const ASSUMED_BODY_BYTES = 4096;
/** Where nothing else bounds them. */
const MANY_CONSUMERS = 1000;
/** Number of the first consumer behind the one for looking (see first-look.ts). */
const FIRST_NUMBER = 1;

export interface SourceOptions {
  /** How many messages are to be held. */
  readonly messages: number;
  /** One message is held on the channel already, by this consumer, or by one that is cancelled: null. */
  readonly first: { readonly consumerTag: string | null } | null;
  readonly averageBodyBytes: number | null;
  /** Arguments of the consumers. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Sorts by number, as text too. */
export function consumerTag(number: number): string {
  return `mqbackup-${String(number).padStart(5, "0")}`;
}

/** What makes the broker deliver on the held channel: consumers, or requests one by one. */
export interface DeliverySource {
  /** Messages it may have delivered by now; Infinity without a limit. */
  readonly capacity: number;
  /** Capacity can be added. */
  readonly room: boolean;
  /** Of consumers: what the capacity was with each of them added. */
  readonly slices: readonly number[];
  /** Adds capacity; only when what there was is used up, so that slices come in order. */
  add(): Promise<void>;
  /** Ends the sending. What was on its way arrives before the next request on the channel is answered. */
  cancelAll(): Promise<void>;
}

/** Arguments of every consumer of a reading. */
export function consumerArguments(
  recipe: Pick<HoldRecipe, "priority" | "consumerTimeout">,
  maxHoldMs: number,
): Readonly<Record<string, unknown>> {
  return {
    ...(recipe.priority === 0 ? {} : { "x-priority": recipe.priority }),
    ...(recipe.consumerTimeout ? { "x-consumer-timeout": maxHoldMs * 2 } : {}),
  };
}

/**
 * Classic queues take one consumer: without a limit when the queue is deep, else with just the limit that is needed, so that
 * what is published meanwhile is not held too. Quorum queues take several: a window is at most 65,535 messages, and the broker
 * buffers a whole window for a client that reads slowly, so it is bounded by bytes.
 *
 * Tags ascend: the slices of several consumers are given back in the order of the tags.
 */
export function consumers(held: HeldChannel, recipe: HoldRecipe, options: SourceOptions): DeliverySource {
  const window = recipe.windowed ? windowMessages(recipe, options) : classicPrefetch(options.messages);
  const { first } = options;
  const attached = first?.consumerTag == null ? [] : [first.consumerTag];
  const slices: number[] = first ? [1] : [];
  let added = 0;
  const capacity = (): number => slices.at(-1) ?? 0;
  return {
    slices,
    get capacity() {
      return capacity();
    },
    get room() {
      return added < consumersOf(recipe);
    },
    async add() {
      const tag = consumerTag(FIRST_NUMBER + added++);
      // Once all that is wanted is held, more is only taken to give it back in order.
      const wanted = options.messages - capacity();
      const prefetch = wanted > 0 ? Math.min(window, wanted) : window;
      attached.push(tag);
      slices.push(window === 0 ? Infinity : capacity() + prefetch);
      await held.consume(tag, window === 0 ? 0 : prefetch, options.details);
      // Only now: of a single active consumer's queue nobody else gets anything in between.
      if (recipe.maxConsumers === 1 && attached.length > 1) await held.cancel(attached.shift() ?? tag);
    },
    async cancelAll() {
      for (let tag = attached.shift(); tag !== undefined; tag = attached.shift()) await held.cancel(tag);
    },
  };
}

/** More than this cannot be held in order by this recipe. */
export function deepest(recipe: HoldRecipe): number {
  return recipe.windowed ? consumersOf(recipe) * MAX_PREFETCH : Infinity;
}

function classicPrefetch(messages: number): number {
  return messages <= MAX_PREFETCH ? messages : 0;
}

/** One of them may be for looking; a single active consumer takes over from it. */
function consumersOf({ maxConsumers }: HoldRecipe): number {
  return maxConsumers === 1 ? 1 : maxConsumers - 1;
}

function windowMessages(recipe: HoldRecipe, options: SourceOptions): number {
  const bodyBytes = Math.max(1, options.averageBodyBytes ?? ASSUMED_BODY_BYTES);
  const byBytes = Math.floor(WINDOW_BYTES / bodyBytes);
  // With few consumers, holding all of a deep queue comes before the broker's buffer.
  const needed = Math.ceil(options.messages / Math.min(MANY_CONSUMERS, consumersOf(recipe)));
  // What a window brings has its delivery spent: small ones, so that reading can stop.
  const few = Math.max(needed, recipe.budget ? WINDOW_SPENDING : Math.max(1, byBytes));
  return Math.min(MAX_PREFETCH, options.messages, few);
}
