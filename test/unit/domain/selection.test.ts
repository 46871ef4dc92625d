import { describe, expect, it } from "vitest";

import { compileQueuePattern } from "../../../src/domain/queue-pattern.ts";
import type { QueueInfo } from "../../../src/domain/queue.ts";
import { namedQueues, selectQueues, type Selection } from "../../../src/domain/selection.ts";

const told = { type: "quorum", deliveryLimit: 20 } as const;

function selection(queues: readonly string[], exclude: readonly string[] = []): Selection {
  return { queues: queues.map(compileQueuePattern), exclude: exclude.map(compileQueuePattern) };
}

function found(...all: readonly string[]): readonly QueueInfo[] {
  return all.flatMap((name) =>
    namedQueues("/", selection([name.replaceAll(/[*?[{]/g, String.raw`\$&`)]), told),
  );
}

function names(queues: readonly QueueInfo[]): readonly string[] {
  return queues.map((queue) => queue.name);
}

describe("selectQueues", () => {
  const queues = found("billing", "orders.eu", "orders.us", "mqbackup.lock.1f");

  it("takes all but its own without any pattern", () => {
    expect(names(selectQueues(queues, ["/"], selection([])))).toEqual(["billing", "orders.eu", "orders.us"]);
  });

  it("takes what any pattern matches, less what is excluded", () => {
    expect(names(selectQueues(queues, ["/"], selection(["orders.*", "bill*"], ["*.us"])))).toEqual([
      "billing",
      "orders.eu",
    ]);
  });

  it("takes a queue named exactly, even one with wildcards or of its own in its name", () => {
    const odd = found("a[1]", "a1", "mqbackup.mine");
    expect(names(selectQueues(odd, ["/"], selection([String.raw`a\[1\]`, "mqbackup.mine"])))).toEqual([
      "a[1]",
      "mqbackup.mine",
    ]);
  });

  it("names every exact name that is nowhere", () => {
    expect(() => selectQueues(queues, ["/"], selection(["order.eu", "billing"]))).toThrow(
      expect.objectContaining({
        code: "QUEUE_MISSING",
        message: "queue order.eu in virtual host / does not exist",
      }),
    );
    expect(() => selectQueues(queues, ["/", "eu"], selection(["x", "y", "orders.*"]))).toThrow(
      expect.objectContaining({
        code: "QUEUE_MISSING",
        message: "queues x, y do not exist in virtual hosts /, eu",
      }),
    );
  });

  it.each([
    [["payments.*"], [], "no queue selected: none of 4 in virtual host / matches payments.*"],
    [[], ["*"], "no queue selected: --exclude leaves none of 4"],
  ])("says why nothing is left of %j without %j", (queue, exclude, message) => {
    expect(() => selectQueues(queues, ["/"], selection(queue, exclude))).toThrow(
      expect.objectContaining({ code: "NO_QUEUE_SELECTED", message }),
    );
  });

  it("says that there are no queues", () => {
    expect(() => selectQueues([], ["/"], selection([]))).toThrow(
      "no queue selected: virtual host / has no queues",
    );
  });
});

describe("namedQueues", () => {
  it("gives each name once, with the operator's word and nothing else known", () => {
    const [queue, ...others] = namedQueues("eu", selection(["a", "a", "b"], ["b"]), told);
    expect(others).toEqual([]);
    expect(queue).toMatchObject({
      vhost: "eu",
      name: "a",
      type: "quorum",
      deliveryLimit: 20,
      durable: null,
      consumers: null,
    });
  });

  it("refuses wildcards and nothing named", () => {
    expect(() => namedQueues("/", selection(["a*"]), told)).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
    expect(() => namedQueues("/", selection([]), told)).toThrow(expect.objectContaining({ code: "USAGE" }));
    expect(() => namedQueues("/", selection(["a"], ["*"]), told)).toThrow(
      expect.objectContaining({ code: "USAGE" }),
    );
  });
});
