import { expect, it } from "vitest";
import { lastingQueue } from "../../../src/domain/lasting-queue.ts";
import type { QueueEntry } from "../../../src/domain/manifest.ts";

function declaredAs(entry: Partial<QueueEntry>): Partial<QueueEntry> {
  const { durable, autoDelete, arguments: args, effectivePolicy } = lastingQueue(entry as QueueEntry);
  return { durable, autoDelete, arguments: args, effectivePolicy };
}

it("leaves away what removes or reorders messages, and keeps the rest", () => {
  const removing = {
    "x-message-ttl": 1,
    "x-expires": 1,
    "x-max-length": 1,
    "x-max-length-bytes": 1,
    "x-max-age": "1D",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "d",
    "x-dead-letter-routing-key": "k",
    "x-dead-letter-strategy": "at-least-once",
    "x-delivery-limit": 3,
    "x-delayed-retry-type": "all",
    "x-max-priority": 5,
  };
  const kept = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": true,
    "x-queue-leader-locator": "balanced",
  };
  const policy = { effectivePolicy: { "max-length": 1 } };
  expect(
    declaredAs({ durable: false, autoDelete: true, arguments: { ...removing, ...kept }, ...policy }),
  ).toEqual({
    durable: false,
    autoDelete: false,
    arguments: kept,
    effectivePolicy: {},
  });
});

it("takes what nobody told for what most queues have", () => {
  expect(declaredAs({ durable: null, autoDelete: null, arguments: {} })).toMatchObject({
    durable: true,
    autoDelete: false,
  });
});
