import { describe, expect, test } from "vitest";
import { firstDifference } from "../lab/compare.ts";
import { drain, drainStream } from "../lab/drain.ts";
import { brokerVersion } from "../lab/management.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue, QUEUE_TYPES } from "../lab/queues.ts";
import { sharedBrokers } from "../lab/shared-brokers.ts";
import { freshVhost } from "../lab/vhost.ts";

describe.each(sharedBrokers())("broker $version", (broker) => {
  test("answers with its version", async () => {
    expect(await brokerVersion(broker)).toMatch(new RegExp(`^${broker.version}\\.`));
  });

  test.each(QUEUE_TYPES)("gives back what was filled into a %s queue", async (type) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type);
    const filled = [
      ...(await fill(vhost, "q", 1500)),
      ...(await fill(vhost, "q", 500, { from: 1500, bodyBytes: 3000 })),
    ];

    const drained = type === "stream" ? await drainStream(vhost, "q") : await drain(vhost, "q");

    expect(firstDifference(drained, filled)).toBeUndefined();
    expect(drained[7]?.properties).toMatchObject({ messageId: "lab-7", contentType: "application/json" });
    expect(drained[7]?.rawProperties.includes("lab-7")).toBe(true);
    expect(await (type === "stream" ? drainStream(vhost, "q") : drain(vhost, "q"))).toHaveLength(
      type === "stream" ? filled.length : 0,
    );
  });

  test.each(["classic", "quorum"] as const)("drains an empty %s queue as nothing", async (type) => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", type);
    expect(await drain(vhost, "q")).toEqual([]);
  });

  test("drains an empty stream as nothing", async () => {
    await using vhost = await freshVhost(broker);
    await declareQueue(vhost, "q", "stream");
    expect(await drainStream(vhost, "q")).toEqual([]);
  });
});
