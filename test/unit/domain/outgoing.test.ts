import { describe, expect, it } from "vitest";
import { editedProperties, isCopied, isExpiring, isPersistent } from "../../../src/domain/outgoing.ts";
import { encodeProperties, header, longstr } from "./wire-values.ts";

const text = Buffer.from("text");
const before = { contentType: text, contentEncoding: text, headers: [header("a", longstr("b"))] };

describe("a message on its way back", () => {
  it.each([
    ["delivery mode 2", { deliveryMode: 2 }, true],
    ["delivery mode 2 behind all that can be before it", { ...before, deliveryMode: 2 }, true],
    ["delivery mode 1", { ...before, deliveryMode: 1 }, false],
    ["no delivery mode", { ...before, priority: 2 }, false],
    ["nothing", {}, false],
  ])("with %s survives a restart: %o %s", (_, properties, persistent) => {
    expect(isPersistent(encodeProperties(properties))).toBe(persistent);
  });

  it("is transient when its properties are cut short", () => {
    expect(isPersistent(encodeProperties({ ...before, deliveryMode: 2 }).subarray(0, 9))).toBe(false);
  });

  it("expires when it says when", () => {
    expect(isExpiring(encodeProperties({ deliveryMode: 2, expiration: text }))).toBe(true);
    expect(isExpiring(encodeProperties({ deliveryMode: 2, messageId: text }))).toBe(false);
  });

  it.each(["CC", "BCC"])("is copied by a %s header", (name) => {
    expect(isCopied(encodeProperties({ headers: [header(name, longstr("x"))] }))).toBe(true);
    expect(isCopied(encodeProperties({ headers: [header(`${name}2`, longstr("x"))] }))).toBe(false);
  });

  it("keeps its very bytes unless something is to be dropped", () => {
    const properties = encodeProperties({ expiration: text, userId: text });
    const record = { redelivered: false, exchange: text, routingKey: text, body: text, properties };
    expect(editedProperties(record, { expiration: "keep", userId: "keep", deathHeader: "keep" })).toBe(
      properties,
    );
    expect(
      Buffer.from(editedProperties(record, { expiration: "drop", userId: "keep", deathHeader: "keep" })),
    ).toEqual(encodeProperties({ userId: text }));
    expect(
      Buffer.from(editedProperties(record, { expiration: "keep", userId: "drop", deathHeader: "keep" })),
    ).toEqual(encodeProperties({ expiration: text }));
  });
});
