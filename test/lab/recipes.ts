import { planReading } from "../../src/domain/reading-plan.ts";
import type { QueueInfo, QueueType } from "../../src/domain/queue.ts";
import type { ReadingPolicy, ReadingRecipe, ReadingVerdict } from "../../src/domain/reading-recipe.ts";
import type { Broker } from "./brokers.ts";
import { CAREFUL, queueInfo } from "./queue-info.ts";
import { sharedBrokers } from "./shared-brokers.ts";

/** What mqbackup decides about such a queue on this broker. */
export function verdictFor(
  broker: Broker,
  type: QueueType,
  more: Partial<QueueInfo> = {},
  policy: Partial<ReadingPolicy> = {},
): ReadingVerdict {
  const info = { product: "RabbitMQ", version: `${broker.version}.0`, clusterName: null };
  return planReading(queueInfo("v", "q", type, more), info, { ...CAREFUL, ...policy });
}

/** How mqbackup reads such a queue; throws the danger where it does not. */
export function recipeFor(...what: Parameters<typeof verdictFor>): ReadingRecipe {
  const verdict = verdictFor(...what);
  if (!verdict.recipe) throw new Error(`no recipe: ${verdict.danger?.message}`);
  return verdict.recipe;
}

/** x-arguments that make a queue of this type readable on every version: on 4.0 the default delivery limit would be in the way. */
export function argumentsFor(broker: Broker, type: QueueType): Record<string, unknown> {
  return type === "quorum" && broker.version === "4.0" ? { "x-delivery-limit": -1 } : {};
}

/** The recipe for a queue declared with `argumentsFor`; on 4.3 it has the default limit. */
export function plainRecipe(
  broker: Broker,
  type: QueueType,
  more: Partial<QueueInfo> = {},
  policy: Partial<ReadingPolicy> = {},
): ReadingRecipe {
  const deliveryLimit = broker.version === "4.3" ? 20 : "unlimited";
  return recipeFor(broker, type, type === "quorum" ? { deliveryLimit, ...more } : more, policy);
}

/** Those shared brokers that are of one of these versions; with a broker from outside perhaps none. */
export function brokersOf(...versions: readonly string[]): readonly Broker[] {
  return sharedBrokers().filter((broker) => versions.includes(broker.version));
}
