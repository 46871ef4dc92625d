import type { QueueInfo } from "./queue.ts";

/** Settings that decide whether messages stay in a queue, by the names policies use; as arguments they have `x-` before. */
export type QueueSetting = "max-length" | "max-length-bytes" | "message-ttl" | "expires" | "max-priority";

/** The lower of argument and policy, as the broker applies them; null: neither is set. */
export function queueSetting(
  queue: Pick<QueueInfo, "arguments" | "effectivePolicy">,
  setting: QueueSetting,
): number | null {
  const told = [queue.arguments[`x-${setting}`], queue.effectivePolicy[setting]];
  const numbers = told.filter((value) => typeof value === "number");
  return numbers.length === 0 ? null : Math.min(...numbers);
}

/** What a full queue does: "drop-head" unless told otherwise. */
export function overflowBehaviour(queue: Pick<QueueInfo, "arguments" | "effectivePolicy">): string {
  const told = queue.arguments["x-overflow"] ?? queue.effectivePolicy["overflow"];
  return typeof told === "string" ? told : "drop-head";
}
