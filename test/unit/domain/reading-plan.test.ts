import { describe, expect, test } from "vitest";
import { effectiveDeliveryLimit } from "../../../src/domain/delivery-limit.ts";
import { planReading } from "../../../src/domain/reading-plan.ts";
import type { QueueInfo } from "../../../src/domain/queue.ts";
import type { ReadingPolicy } from "../../../src/domain/reading-recipe.ts";
import { atLeast } from "../../../src/domain/version.ts";
import { CAREFUL, queueInfo } from "../../lab/queue-info.ts";

function plan(
  version: string,
  type: QueueInfo["type"],
  more: Partial<QueueInfo> = {},
  policy: Partial<ReadingPolicy> = {},
) {
  const broker = { product: "RabbitMQ", version, clusterName: null };
  return planReading(queueInfo("/", "q", type, more), broker, { ...CAREFUL, ...policy });
}

const SAC = { arguments: { "x-single-active-consumer": true } };

describe("read and left as found", () => {
  test.each([
    ["3.10.8", "classic", {}, { kind: "hold", release: "close", maxConsumers: 1, windowed: false }],
    ["4.3.6", "classic", {}, { kind: "hold", release: "close", maxConsumers: 1, consumerTimeout: false }],
    [
      "3.10.8",
      "quorum",
      {},
      { kind: "hold", release: "close", maxConsumers: 32, budget: null, proveLimit: null },
    ],
    [
      "4.0.5",
      "quorum",
      { deliveryLimit: "unlimited" },
      { release: "close", maxConsumers: 32, consumerTimeout: false },
    ],
    [
      "4.3.6",
      "quorum",
      { deliveryLimit: 20 },
      { release: "nack", maxConsumers: Infinity, proveLimit: 20, consumerTimeout: true },
    ],
    ["4.3.6", "quorum", { deliveryLimit: "unlimited" }, { release: "nack", proveLimit: null }],
    ["3.10.8", "stream", {}, { kind: "stream", from: "first" }],
    ["4.0.5", "classic", { autoDelete: true }, { kind: "get" }],
    ["4.0.5", "classic", { exclusiveConsumer: true }, { kind: "get" }],
    ["4.0.5", "classic", { ...SAC, consumers: 1 }, { kind: "get" }],
    ["4.0.5", "classic", { ...SAC, consumers: 0 }, { kind: "hold" }],
    ["3.10.8", "quorum", { ...SAC, consumers: 0 }, { kind: "hold", maxConsumers: 1 }],
  ] as const)("%s %s %j", (version, type, more, expected) => {
    expect(plan(version, type, more).recipe).toMatchObject(expected);
  });

  test("a limited delivery is spent only when that is accepted, and as far as it is", () => {
    expect(plan("4.0.5", "quorum", { deliveryLimit: 20 }, { keepDeliveries: 5 }).recipe).toMatchObject({
      release: "close",
      budget: { limit: 20, keep: 5 },
    });
    expect(
      plan("4.3.6", "quorum", { deliveryLimit: 20, delayedRetry: "returned" }, { keepDeliveries: 5 }).recipe,
    ).toMatchObject({
      release: "close",
      budget: { limit: 20, keep: 5 },
    });
  });

  test("a takeover of a single active consumer needs its flag and a priority", () => {
    const queue = { ...SAC, consumers: 1, deliveryLimit: "unlimited" } as const;
    const accept = new Set(["sac-takeover"]);
    expect(plan("4.3.6", "quorum", queue, { accept }).danger?.code).toBe("sac");
    expect(plan("4.3.6", "quorum", queue, { accept, priority: 10 }).recipe).toMatchObject({ priority: 10 });
    expect(plan("3.10.8", "quorum", queue, { accept, priority: 10 }).danger?.code).toBe("sac");
  });
});

describe("refused, with the danger named", () => {
  test.each([
    ["4.0.5", "quorum", { deliveryLimit: 20 }, "delivery-limit"],
    ["4.0.5", "quorum", {}, "delivery-limit"],
    ["4.2.1", "quorum", {}, "delivery-limit"],
    ["3.10.8", "quorum", { arguments: { "x-delivery-limit": 3 } }, "delivery-limit"],
    ["4.3.6", "quorum", { deliveryLimit: 20, delayedRetry: "all" }, "delayed-retry"],
    ["4.3.6", "quorum", { deliveryLimit: 20, delayedRetry: "newer" }, "delayed-retry"],
    ["4.3.6", "quorum", { effectivePolicy: { "delayed-retry-type": "all" } }, "delayed-retry"],
    ["4.3.6", "quorum", { deliveryLimit: 20, delayedRetry: "returned" }, "delivery-limit"],
    ["4.3.6", "classic", { exclusive: true }, "exclusive"],
    ["4.3.6", "other", {}, "type"],
    ["4.3.6", "unknown", {}, "type-unknown"],
    ["4.3.6", "classic", { state: "crashed" }, "state"],
    ["master", "quorum", {}, "version"],
    ["4.0.5", "classic", { autoDelete: true, arguments: { "x-expires": 1000 } }, "get-expires"],
    ["4.0.5", "classic", { autoDelete: true, counts: { ready: 10_001, unacknowledged: 0 } }, "get-too-many"],
  ] as const)("%s %s %j: %s", (version, type, more, code) => {
    const verdict = plan(version, type, more);
    expect(verdict.recipe).toBeNull();
    expect(verdict.danger).toMatchObject({ code, hint: expect.stringMatching(/\.$/) });
  });

  test.each([-1, 0])("a limit of %s: nothing accepts that the first return deletes all", (limit) => {
    const queue = { arguments: { "x-delivery-limit": limit } };
    const verdict = plan("3.10.8", "quorum", queue, { keepDeliveries: 1 });
    expect(verdict).toMatchObject({ recipe: null, danger: { code: "delivery-limit", flag: null } });
  });

  test("keeping more deliveries than there are", () => {
    expect(plan("4.0.5", "quorum", { deliveryLimit: 3 }, { keepDeliveries: 4 }).danger?.code).toBe(
      "delivery-limit",
    );
  });

  test.each([
    ["stream", {}],
    ["classic", { autoDelete: true }],
  ] as const)("draining a %s %j", (type, more) => {
    expect(plan("4.3.6", type, more, { drain: true }).recipe).toBeNull();
  });
});

describe("the delivery limit that counts", () => {
  const queue = (argument: unknown, policy: unknown) =>
    queueInfo("/", "q", "quorum", {
      arguments: { "x-delivery-limit": argument },
      effectivePolicy: { "delivery-limit": policy },
    });

  test.each([
    [undefined, undefined, true, 20],
    [undefined, undefined, false, "unlimited"],
    [3, undefined, true, 3],
    [3, 5, true, 3],
    [3, -1, true, 3],
    [-1, 7, true, 7],
    [-1, undefined, true, "unlimited"],
    [-1, -1, true, "unlimited"],
    [3, undefined, false, 3],
    [-1, undefined, false, -1],
    [-1, 7, false, -1],
    ["odd", undefined, true, null],
  ] as const)("argument %s, policy %s, 4.0 or newer %s: %s", (argument, policy, since4, expected) => {
    expect(effectiveDeliveryLimit(queue(argument, policy), since4)).toBe(expected);
  });

  test("the broker's own word comes first", () => {
    expect(effectiveDeliveryLimit({ ...queue(3, 5), deliveryLimit: "unlimited" }, true)).toBe("unlimited");
  });
});

test.each([
  ["4.3.6", 4, 3, true],
  ["4.2.9", 4, 3, false],
  ["4.10.0", 4, 3, true],
  ["5.0.0-rc.1", 4, 3, true],
  ["3.13", 4, 0, false],
  ["unknown", 4, 0, null],
])("%s is at least %s.%s: %s", (version, major, minor, expected) => {
  expect(atLeast(version, major, minor)).toBe(expected);
});
