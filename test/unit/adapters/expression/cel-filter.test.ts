import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { celFilter } from "../../../../src/adapters/expression/cel-filter.ts";
import { VARIABLE_TYPES } from "../../../../src/adapters/expression/message-variables.ts";
import type { MessageRecord } from "../../../../src/domain/message.ts";
import type { PlacedMessage } from "../../../../src/ports/message-filter.ts";
import {
  anyProperties,
  encodeProperties,
  header,
  long,
  longstr,
  type Properties,
} from "../../domain/wire-values.ts";

const QUEUE = { vhost: "/", name: "orders" };

const PROPERTIES: Properties = {
  contentType: Buffer.from("application/json"),
  headers: [
    header("tenant", longstr("acme")),
    header("tenant", longstr("second")),
    header("count", long(7)),
    header("large", long(2n ** 60n)),
    header("ratio", { tag: "d", value: 2.5 }),
    header("price", { tag: "D", scale: 2, digits: 1999 }),
    header("gift", { tag: "t", value: true }),
    header("none", { tag: "V" }),
    header("placed", { tag: "T", value: 1_760_000_000n }),
    header("latin1", longstr(Buffer.from([0x67, 0xfc, 0x6e]))),
    header("seal", { tag: "x", value: Buffer.from([0xff, 0]) }),
    header("x-death", {
      tag: "A",
      value: [{ tag: "F", value: [header("queue", longstr("work")), header("count", long(2))] }],
    }),
  ],
  deliveryMode: 2,
  priority: 4,
  messageId: Buffer.from("m-1"),
  timestamp: 1_760_000_000n,
  type: Buffer.from("order"),
};

function placed(record: Partial<MessageRecord> = {}, sequence = 12): PlacedMessage {
  return {
    queue: QUEUE,
    sequence,
    record: {
      redelivered: false,
      exchange: Buffer.from("shop"),
      routingKey: Buffer.from("order.paid"),
      properties: encodeProperties(PROPERTIES),
      body: Buffer.from('{"total":12.5,"items":[{"article":"A1"}],"city":"Québec"}'),
      ...record,
    },
  };
}

describe("holds:", () => {
  test.each([
    'routing_key == "order.paid" && exchange == "shop"',
    'vhost == "/" && queue == "orders" && sequence == 12',
    "sequence >= 10 && sequence < 13 && sequence % 4 == 0",
    "stream_offset == null",
    "!redelivered",
    'headers.tenant == "acme"',
    'headers["tenant"] in ["acme", "other"]',
    "headers.count == 7 && headers.count < 7.5 && headers.large == 1152921504606846976",
    "headers.ratio == 2.5 && headers.price == 19.99",
    "headers.gift && headers.none == null",
    'headers.placed < timestamp("2026-01-01T00:00:00Z")',
    'headers.latin1 == "g\u{fffd}n"',
    'headers.seal == b"\\xff\\x00"',
    'headers["x-death"][0].queue == "work" && headers["x-death"][0].count > 1',
    'headers["x-death"].exists(death, death.queue == "work")',
    '"x-death" in headers && !("x-other" in headers)',
    '!has(headers.missing) && headers.?missing.orValue("none") == "none"',
    'content_type == "application/json" && content_encoding == ""',
    "delivery_mode == 2 && priority > 3",
    'message_id == "m-1" && correlation_id == "" && message_type == "order"',
    "has(properties.message_id) && !has(properties.correlation_id)",
    'properties.type == "order" && properties.headers.count == 7',
    'timestamp > timestamp("2025-01-01T00:00:00Z") && timestamp.getFullYear() == 2025',
    'body.contains("Québec") && body.matches("A[0-9]")',
    "size(raw_body) == body_bytes && body_bytes == 58",
    'is_json && json.total > 10 && json.items[0].article == "A1"',
    "json.total == 12.5 || json.nothing",
    "true || json.nothing == 1",
  ])("%s", (text) => {
    expect(celFilter(text).matches(placed())).toBe(true);
    expect(celFilter(`!(${text})`).matches(placed())).toBe(false);
  });

  test("of messages without properties, and of a stream", () => {
    const bare = placed({ properties: encodeProperties({}), body: Buffer.from([0xff]), streamOffset: 5 });
    const text =
      'properties == {} && headers == {} && priority == null && timestamp == null && app_id == "" && !is_json && stream_offset == 5 && body == "\u{fffd}"';
    expect(celFilter(text).matches(bare)).toBe(true);
  });
});

describe("is refused before anything is read:", () => {
  test.each([
    [
      "headrs.x == 1",
      /^--where is wrong at character 1: unknown variable: headrs$/,
      /Did you mean headers\?/,
    ],
    ["true && tennant == 'acme'", /at character 9: unknown variable: tennant/, /There are: vhost, .*quotes/],
    ["routingKey == 'a'", /unknown variable: routingKey/, /Did you mean routing_key\?/],
    ["routing_key = 'a'", /at character 13: /, /for instance/],
    ["routing_key == 3", /at character 1: no such overload: string == int/, /for instance/],
    ["routing_key", /no condition: it gives a value of type string/, /for instance/],
    ["headers.a ==", /at character 13: unexpected token/, /for instance/],
    ["'open", /at character 1: unterminated string/, /for instance/],
    ["body.foo()", /no matching overload/, /for instance/],
    ["process.exit(1)", /unknown variable: process/, /./],
    ["(() => 1)()", /at character/, /./],
    ["constructor == 1", /unknown variable: constructor/, /./],
    [`${"(".repeat(2000)}true${")".repeat(2000)}`, /where/, /./],
  ])("%s", (text, message, hint) => {
    expect(() => celFilter(text)).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: expect.stringMatching(message) as string,
        hint: expect.stringMatching(hint) as string,
      }),
    );
  });
});

describe("cannot be evaluated for a message, which is neither yes nor no:", () => {
  test.each([
    ["headers.missing == 1", {}, /no such key: missing$/],
    ["headers.constructor == 1", {}, /no such key: constructor$/],
    ["headers.tenant > 3", {}, /no such overload: .*string.* > int$/],
    ["json.a == 1", { body: Buffer.from("text") }, /its body is not JSON$/],
    ["json.__proto__.a == 1", {}, /no such key: __proto__$/],
    [
      "headers.a == 1",
      { properties: Buffer.from([0x20, 0, 0, 0, 0, 2, 1, 1]) },
      /headers cannot be decoded$/,
    ],
    ["priority > 3", { properties: encodeProperties({}) }, /no such overload: .*null.* > int$/],
    ["headers.count", {}, /neither true nor false$/],
    ['body.matches("(")', {}, /invalid regular expression/],
  ] as const)("%s", (text, record, why) => {
    const filter = celFilter(text);
    expect(() => filter.matches(placed(record))).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: expect.stringMatching(why) as string,
        hint: expect.stringContaining("has(headers.tenant)") as string,
      }),
    );
    expect(() => filter.matches(placed(record))).toThrow(
      /^--where cannot be evaluated for the message of sequence 12 of queue orders in virtual host \/: /,
    );
  });
});

test("every name can be asked of every message, whatever its bytes", () => {
  const names = Object.keys(VARIABLE_TYPES).filter((name) => name !== "json");
  const filter = celFilter(names.map((name) => `type(${name}) != type`).join(" && "));
  fc.assert(
    fc.property(anyProperties, fc.uint8Array({ maxLength: 40 }), (properties, bytes) => {
      const record = { properties: encodeProperties(properties), body: bytes, exchange: bytes };
      expect(filter.matches(placed(record))).toBe(true);
    }),
  );
});

test("text it has no part in is not even decoded", () => {
  const untouchable = new Proxy(Buffer.alloc(0), { get: () => expect.unreachable("looked at") });
  const message = placed({ body: untouchable, properties: untouchable });
  expect(celFilter('routing_key == "order.paid"').matches(message)).toBe(true);
});
