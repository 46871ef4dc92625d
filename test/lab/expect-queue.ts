import { expect } from "vitest";
import { firstDifference } from "./compare.ts";
import { drain, type Drained } from "./drain.ts";
import { untilReady } from "./queues.ts";
import { until } from "./until.ts";
import type { LabVhost } from "./vhost.ts";

/** The queue holds exactly these, in this order. It is empty afterwards. */
export async function expectAll(
  vhost: LabVhost,
  queue: string,
  messages: readonly { readonly body: Buffer }[],
): Promise<void> {
  // What a connection that has just ended held may still be on its way back.
  await untilReady(vhost, queue, messages.length).catch(() => undefined);
  let found: readonly Drained[] = [];
  // Seen of a quorum queue whose node had just come back: it counted what it held, and had nothing for a get.
  const hasGiven = async (): Promise<boolean> => {
    found = await drain(vhost, queue);
    return found.length > 0 || messages.length === 0;
  };
  await until(`anything of ${queue}`, hasGiven, { timeoutMs: 15_000, everyMs: 250 }).catch(() => undefined);
  expect(firstDifference(found, messages), `what queue ${queue} holds`).toBeUndefined();
}
