import { expect } from "vitest";
import { firstDifference } from "./compare.ts";
import { drain } from "./drain.ts";
import { untilReady } from "./queues.ts";
import type { LabVhost } from "./vhost.ts";

/** The queue holds exactly these, in this order. It is empty afterwards. */
export async function expectAll(
  vhost: LabVhost,
  queue: string,
  messages: readonly { readonly body: Buffer }[],
): Promise<void> {
  // What a connection that has just ended held may still be on its way back.
  await untilReady(vhost, queue, messages.length).catch(() => undefined);
  expect(firstDifference(await drain(vhost, queue), messages), `what queue ${queue} holds`).toBeUndefined();
}
