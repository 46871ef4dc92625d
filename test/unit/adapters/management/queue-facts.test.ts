import { describe, expect, it } from "vitest";

import { currentFacts } from "../../../../src/adapters/management/current-facts.ts";
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

  it.each([
    ["disabled", "disabled"],
    ["all (min: 1000ms, max: 1000ms)", "all"],
    ["returned (min: 3000ms, max: 3000ms)", "returned"],
    [undefined, null],
  ])("takes delayed_retry %j for %j", (told, expected) => {
    expect(queueInfo({ delayed_retry: told }, "/", "q").delayedRetry).toBe(expected);
  });

  it("counts what no consumer is given", () => {
    expect(queueInfo({ messages_delayed: 3, messages_dlx: 4 }, "/", "q").outOfReach).toBe(7);
    expect(queueInfo({ messages_dlx: 0 }, "/", "q").outOfReach).toBe(0);
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

describe("currentFacts", () => {
  const measured = {
    name: "q",
    policy: "old",
    effective_policy_definition: { "delivery-limit": 9 },
    delivery_limit: 9,
    delayed_retry: "disabled",
    consumers: 1,
  };

  it("believes statistics that agree with what is kept", () => {
    expect(currentFacts(measured, { policy: "old" })).toMatchObject(measured);
    const kept = { policy: "old", effective_policy_definition: { "delivery-limit": 9 }, delivery_limit: 9 };
    expect(currentFacts(measured, kept)).toMatchObject(measured);
  });

  it("takes what is kept where the broker tells all of it, and delayed retry from the policy before the argument", () => {
    const kept = {
      policy: "new",
      operator_policy: null,
      effective_policy_definition: { "delivery-limit": 3, "delayed-retry-type": "all" },
      delivery_limit: 3,
    };
    const args = { "x-delayed-retry-type": "failed" };
    expect(currentFacts({ ...measured, arguments: args }, kept)).toMatchObject({
      ...kept,
      delayed_retry: "all",
      consumers: 1,
    });
    const young = currentFacts(
      { name: "q", arguments: args },
      { policy: null, effective_policy_definition: {} },
    );
    expect(young).toMatchObject({ policy: null, effective_policy_definition: {}, delayed_retry: "failed" });
  });

  it("leaves open what another policy amounts to where only its name is kept", () => {
    const facts = currentFacts(measured, { policy: "new" });
    expect(facts).toMatchObject({ policy: "new", consumers: 1 });
    expect(facts).not.toHaveProperty("effective_policy_definition");
    expect(facts["delivery_limit"]).toBeUndefined();
    expect(currentFacts(measured, {})).toMatchObject({ policy: null });
    expect(currentFacts(measured, {})).not.toHaveProperty("effective_policy_definition");
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
