import type { HoldRecipe } from "../../domain/reading-recipe.ts";
import type { HeldChannel } from "./held-channel.ts";

/** basic.qos is a uint16. */
const MAX_PREFETCH = 65_535;
/** What one consumer's window of a quorum queue may make the broker buffer when we are slow, bytes. */
const WINDOW_BYTES = 64 * 1024 * 1024;
/** Assumed when nobody could say. */
const ASSUMED_BODY_BYTES = 4096;

export interface SourceOptions {
  /** How many messages are to be held. */
  readonly messages: number;
  /** Consumers that are on the channel already, each holding one message. */
  readonly attached: readonly string[];
  readonly averageBodyBytes: number | null;
  readonly maxHoldMs: number;
  /** The broker cancelled a consumer. */
  readonly onCancelled: () => void;
}

/** Number of the first consumer behind those of a proof. */
const FIRST_AFTER_PROOF = 100;

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
  /** Adds capacity; only when what there was is used up, so that slices come in order. */
  add(): Promise<void>;
  /** Nothing more is sent after this resolves. */
  cancelAll(): Promise<void>;
}

/**
 * Classic queues take one consumer: without a limit when the queue is deep, else with just the limit that is needed, so that
 * what is published meanwhile is not held too. Quorum queues take several: a window is at most 65,535 messages, and the broker
 * buffers a whole window for a client that reads slowly, so it is bounded by bytes.
 *
 * Tags ascend: the slices of several consumers are given back in the order of the tags.
 */
export function consumers(
  held: HeldChannel,
  queue: string,
  recipe: HoldRecipe,
  options: SourceOptions,
): DeliverySource {
  const window = recipe.windowed ? windowMessages(recipe, options) : classicPrefetch(options.messages);
  const tags = [...options.attached];
  let capacity = tags.length;
  const consumerArguments = {
    ...(recipe.priority === 0 ? {} : { "x-priority": recipe.priority }),
    ...(recipe.consumerTimeout ? { "x-consumer-timeout": options.maxHoldMs * 2 } : {}),
  };
  return {
    get capacity() {
      return capacity;
    },
    get room() {
      return tags.length < recipe.maxConsumers;
    },
    async add() {
      const tag = consumerTag(options.attached.length === 0 ? tags.length : FIRST_AFTER_PROOF + tags.length);
      // Once all that is wanted is held, more is only taken to give it back in order.
      const prefetch = capacity < options.messages ? Math.min(window, options.messages - capacity) : window;
      tags.push(tag);
      capacity = window === 0 ? Infinity : capacity + prefetch;
      await held.call(async () => {
        await held.channel.prefetch(window === 0 ? 0 : prefetch);
        await held.channel.consume(queue, (message) => message === null && options.onCancelled(), {
          consumerTag: tag,
          arguments: consumerArguments,
        });
      });
    },
    async cancelAll() {
      for (const tag of tags) await held.channel.cancel(tag);
    },
  };
}

/** More than this cannot be held in order by this recipe. */
export function deepest(recipe: HoldRecipe): number {
  return recipe.windowed ? recipe.maxConsumers * MAX_PREFETCH : Infinity;
}

function classicPrefetch(messages: number): number {
  return messages <= MAX_PREFETCH ? messages : 0;
}

function windowMessages(recipe: HoldRecipe, options: SourceOptions): number {
  const bodyBytes = Math.max(1, options.averageBodyBytes ?? ASSUMED_BODY_BYTES);
  const byBytes = Math.floor(WINDOW_BYTES / bodyBytes);
  // With few consumers allowed, holding all of a deep queue comes before the broker's buffer.
  const needed = Number.isFinite(recipe.maxConsumers) ? Math.ceil(options.messages / recipe.maxConsumers) : 1;
  return Math.min(MAX_PREFETCH, options.messages, Math.max(16, byBytes, needed));
}
