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
  const found: Drained[] = [];
  // A quorum queue whose node has just come back may have nothing for a get although it counts what it holds.
  const isAll = async (): Promise<boolean> => {
    found.push(...(await drain(vhost, queue)));
    return found.length >= messages.length;
  };
  await until(`all of ${queue}`, isAll, { timeoutMs: 15_000, everyMs: 250 }).catch(() => undefined);
  expect(firstDifference(found, messages), `what queue ${queue} holds`).toBeUndefined();
}
