import { describe, expect, it } from "vitest";

import { effectivePolicies } from "../../../../src/adapters/management/effective-policies.ts";
import { queueInfo } from "../../../../src/adapters/management/queue-facts.ts";

describe("queueInfo", () => {
  it("takes what is not told for unknown, never for zero or no", () => {
    expect(queueInfo({ name: "q", type: "quorum", durable: true }, "/", "q")).toEqual({
      vhost: "/",
      name: "q",
      type: "quorum",
      durable: true,
      autoDelete: null,
      exclusive: null,
      arguments: {},
      policy: null,
      operatorPolicy: null,
      effectivePolicy: {},
      deliveryLimit: null,
      delayedRetry: null,
      counts: { ready: null, unacknowledged: null },
      readyBytes: null,
      outOfReach: null,
      consumers: null,
      exclusiveConsumer: null,
      state: null,
    });
  });

  it.each([
    ["classic", "classic"],
    ["stream", "stream"],
    ["rabbit_mqtt_qos0_queue", "other"],
    [undefined, "unknown"],
  ])("takes type %j for %j", (type, expected) => {
    expect(queueInfo({ type }, "/", "q").type).toBe(expected);
  });

  it.each([
    [20, 20],
    ["unlimited", "unlimited"],
    [-1, "unlimited"],
    [undefined, null],
  ])("takes delivery_limit %j for %j", (told, expected) => {
    expect(queueInfo({ delivery_limit: told }, "/", "q").deliveryLimit).toBe(expected);
  });

  it("knows delayed retry by its type, and counts what no consumer is given", () => {
    const facts = { delayed_retry: { type: "returned", min: 3000 }, messages_delayed: 3, messages_dlx: 4 };
    expect(queueInfo(facts, "/", "q")).toMatchObject({ delayedRetry: "returned", outOfReach: 7 });
    expect(queueInfo({ delayed_retry: "disabled", messages_dlx: 0 }, "/", "q")).toMatchObject({
      delayedRetry: "disabled",
      outOfReach: 0,
    });
  });

  it("believes in no exclusive consumer only when consumers are counted", () => {
    expect(queueInfo({ exclusive_consumer_tag: "c", consumers: 1 }, "/", "q").exclusiveConsumer).toBe(true);
    expect(queueInfo({ consumers: 0 }, "/", "q").exclusiveConsumer).toBe(false);
    expect(queueInfo({ exclusive_consumer_tag: null }, "/", "q").exclusiveConsumer).toBeNull();
  });

  it("takes an empty list for an empty object, as some versions write it", () => {
    expect(queueInfo({ arguments: [], effective_policy_definition: [] }, "/", "q")).toMatchObject({
      arguments: {},
      effectivePolicy: {},
    });
  });
});

describe("effectivePolicies", () => {
  const book = {
    policies: [{ name: "limits", definition: { "delivery-limit": 7, "max-length": 100 } }],
    operatorPolicies: [
      {
        name: "low",
        pattern: "^orders",
        priority: 0,
        "apply-to": "queues",
        definition: { "delivery-limit": 3 },
      },
      {
        name: "high",
        pattern: "^orders",
        priority: 9,
        "apply-to": "queues",
        definition: { "delivery-limit": 9, expires: 5 },
      },
      {
        name: "other",
        pattern: "",
        priority: 99,
        "apply-to": "streams",
        definition: { "delivery-limit": 1 },
      },
    ],
  };

  it("leaves alone what the broker tells", () => {
    expect(effectivePolicies({ policy: "limits", effective_policy_definition: { a: 1 } }, "q", book)).toEqual(
      {},
    );
  });

  it("takes the smaller limit of policy and operator policy", () => {
    expect(effectivePolicies({ policy: "limits", type: "quorum" }, "orders.eu", book)).toEqual({
      policy: "limits",
      operator_policy: "high",
      effective_policy_definition: { "delivery-limit": 7, "max-length": 100, expires: 5 },
    });
  });

  it("takes the operator policy the broker names", () => {
    expect(effectivePolicies({ operator_policy: "low", type: "quorum" }, "orders", book)).toEqual({
      policy: null,
      operator_policy: "low",
      effective_policy_definition: { "delivery-limit": 3 },
    });
  });

  it("knows that no policy applies", () => {
    expect(effectivePolicies({ policy: null, type: "quorum" }, "billing", book)).toEqual({
      policy: null,
      operator_policy: null,
      effective_policy_definition: {},
    });
  });

  it("takes a pattern it cannot compile for one that matches", () => {
    const odd = [{ name: "odd", pattern: "(?>x)", definition: { "delivery-limit": 2 } }];
    expect(effectivePolicies({ type: "quorum" }, "q", { policies: [], operatorPolicies: odd })).toMatchObject(
      {
        effective_policy_definition: { "delivery-limit": 2 },
      },
    );
  });
});
