// A publisher and a consumer at work on one queue until they are told to stop.
import { once } from "node:events";
import { withChannel } from "./broker-access.js";
import { EXCHANGE, LIVE } from "./shop.js";
import { sectionText, watchSections } from "./wire.js";

/** So many are confirmed and waiting before anything else happens: the backup that begins then has to have them. */
const WARM = 500;
const WAIT_MS = 4;

/**
 * Runs until SIGTERM or SIGINT; says "ready" when there is enough to back up. Resolves every message in order and the
 * numbers of those that were consumed.
 */
export async function liveTraffic(say) {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());
  const [published, consumed] = await Promise.all([publish(stop.signal, say), consume(stop.signal)]);
  return { warm: WARM, published, consumed };
}

function publish(signal, say) {
  return withChannel(async (channel, connection) => {
    const sections = watchSections(connection, "write");
    const published = [];
    while (!signal.aborted) {
      const { key, body, properties } = LIVE.make(published.length);
      channel.publish(EXCHANGE, key, body, properties);
      published.push({ key, body: body.toString("base64") });
      if (published.length === WARM) {
        await channel.waitForConfirms();
        say("ready");
      }
      if (published.length > WARM) await pause(WAIT_MS);
    }
    await channel.waitForConfirms();
    return published.map((message, n) => ({ ...message, properties: sectionText(sections[n]) }));
  });
}

/** Slower than the publisher, so the queue grows. */
function consume(signal) {
  return withChannel(async (channel) => {
    const consumed = [];
    await channel.prefetch(1);
    await channel.consume(LIVE.name, async (message) => {
      await pause(2 * WAIT_MS);
      if (message === null || signal.aborted) return;
      consumed.push(JSON.parse(message.content.toString()).cart);
      channel.ack(message);
    });
    if (!signal.aborted) await once(signal, "abort");
    await pause(4 * WAIT_MS);
    return consumed;
  });
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
