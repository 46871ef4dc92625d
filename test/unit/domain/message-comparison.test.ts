import { describe, expect, it } from "vitest";
import { differingPart, type ComparisonRules } from "../../../src/domain/message-comparison.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import { encodeProperties, header, long, longstr } from "./wire-values.ts";

const RULES: ComparisonRules = {
  expiration: "keep",
  userId: "keep",
  deathHeader: "keep",
  route: "fanout",
  queueName: "q",
};
const A = header("a", long(1));
const B = header("b", longstr("x"));

const record: MessageRecord = {
  redelivered: false,
  exchange: Buffer.from("orders"),
  routingKey: Buffer.from("orders.new"),
  properties: encodeProperties({ headers: [A, B], expiration: Buffer.from("5"), userId: Buffer.from("u") }),
  body: Buffer.from("body"),
};

describe("a message read back", () => {
  it.each([
    ["itself", {}, {}, null],
    ["delivered again", { redelivered: true }, {}, null],
    ["through another exchange", { exchange: Buffer.from("x") }, {}, null],
    ["through another exchange, by its own", { exchange: Buffer.from("x") }, { route: "origin" }, "exchange"],
    ["with another routing key", { routingKey: Buffer.from("q") }, {}, "routing key"],
    [
      "with the queue's name, by the default exchange",
      { routingKey: Buffer.from("q") },
      { route: "default" },
      null,
    ],
    ["with its own key, by the default exchange", {}, { route: "default" }, "routing key"],
    ["with another body", { body: Buffer.from("bodY") }, {}, "body"],
    ["with a longer body", { body: Buffer.from("body ") }, {}, "body"],
    ["with its headers in another order", { properties: properties([B, A]) }, {}, null],
    ["without a header", { properties: properties([A]) }, {}, "properties"],
    [
      "without what was to be dropped",
      { properties: encodeProperties({ headers: [A, B] }) },
      { expiration: "drop", userId: "drop", deathHeader: "keep" },
      null,
    ],
    ["with what was to be dropped", {}, { expiration: "drop" }, "properties"],
  ] as const)("%s", (_, found, rules, part) => {
    expect(differingPart(record, { ...record, ...found }, { ...RULES, ...rules })).toBe(part);
  });
});

function properties(headers: readonly (typeof A)[]): Uint8Array {
  return encodeProperties({ headers, expiration: Buffer.from("5"), userId: Buffer.from("u") });
}
