import type { QueueInfo } from "./queue.ts";

/** `--accept` code: read again although earlier readings stopped because deliveries ran out. */
export const ACCEPT_SPENT = "spent-deliveries";

/** Quorum queues of 4.0 and newer have this limit when nothing else is set. */
const DEFAULT_LIMIT_SINCE_4_0 = 20;

/**
 * The delivery limit that counts for a quorum queue; "unlimited"; null when nobody could say.
 * The broker's own word comes first. Without it: the smaller of argument and policy; without either, 20 since 4.0 and none before.
 * A negative one means no limit since 4.0, and the other counts. Before, it is a limit like any other: one that the first return
 * exceeds (3.10).
 */
export function effectiveDeliveryLimit(queue: QueueInfo, since4: boolean): number | "unlimited" | null {
  if (queue.deliveryLimit !== null) return queue.deliveryLimit;
  const argument = limitIn(queue.arguments["x-delivery-limit"]);
  const policy = limitIn(queue.effectivePolicy["delivery-limit"]);
  if (argument === "odd" || policy === "odd") return null;
  const set = [argument, policy].filter((limit) => limit !== null);
  if (set.length === 0) return since4 ? DEFAULT_LIMIT_SINCE_4_0 : "unlimited";
  if (!since4) return Math.min(...set);
  const positive = set.filter((limit) => limit >= 0);
  return positive.length === 0 ? "unlimited" : Math.min(...positive);
}

function limitIn(value: unknown): number | null | "odd" {
  if (value === undefined || value === null) return null;
  return typeof value === "number" && Number.isInteger(value) ? value : "odd";
}
