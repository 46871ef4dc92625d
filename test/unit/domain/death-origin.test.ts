import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEATH_HEADERS, deathOrigin } from "../../../src/domain/death-origin.ts";
import { OriginTally } from "../../../src/domain/origin-tally.ts";
import { editedProperties } from "../../../src/domain/outgoing.ts";
import {
  anyProperties,
  encodeProperties,
  header,
  long,
  longstr,
  type Field,
  type Header,
} from "./wire-values.ts";

interface Death {
  readonly queue: string;
  readonly reason: string;
  readonly exchange: string | Buffer;
  readonly keys: readonly (string | Buffer)[];
}

/** As the broker writes one entry. */
function entry({ queue, reason, exchange, keys }: Death): Field {
  return {
    tag: "F",
    value: [
      header("count", long(3)),
      header("reason", longstr(reason)),
      header("queue", longstr(queue)),
      header("time", { tag: "T", value: 1_760_000_000n }),
      header("exchange", longstr(exchange)),
      header("routing-keys", { tag: "A", value: keys.map((key) => longstr(key)) }),
    ],
  };
}

function died(
  deaths: readonly Death[],
  first?: Pick<Death, "queue" | "reason">,
  more: readonly Header[] = [],
): Buffer {
  return encodeProperties({
    headers: [
      ...more,
      header("x-death", { tag: "A", value: deaths.map(entry) }),
      ...(first === undefined
        ? []
        : [
            header("x-first-death-exchange", longstr("")),
            header("x-first-death-queue", longstr(first.queue)),
            header("x-first-death-reason", longstr(first.reason)),
          ]),
    ],
  });
}

function shown(section: Buffer): readonly [string, string] | null {
  const origin = deathOrigin(section);
  return (
    origin && [
      Buffer.from(origin.exchange).toString("latin1"),
      Buffer.from(origin.routingKey).toString("latin1"),
    ]
  );
}

const WORK: Death = { queue: "work", reason: "rejected", exchange: "shop", keys: ["order.paid"] };
const WAIT: Death = { queue: "wait", reason: "expired", exchange: "shop.dlx", keys: ["order.paid"] };

describe("where a message died from", () => {
  it.each([
    ["its only death", died([WORK], WORK), ["shop", "order.paid"]],
    ["the oldest, when nothing says which was first", died([WAIT, WORK]), ["shop", "order.paid"]],
    ["the first, though it grew last and stands in front", died([WORK, WAIT], WORK), ["shop", "order.paid"]],
    [
      "the first, by its reason too",
      died([{ ...WORK, reason: "maxlen", exchange: "later" }, WORK], WORK),
      ["shop", "order.paid"],
    ],
    ["the default exchange", died([{ ...WORK, exchange: "", keys: ["work"] }], WORK), ["", "work"]],
    [
      "the key it was published with, and not those of CC",
      died([{ ...WORK, keys: ["a", "b"] }], WORK),
      ["shop", "a"],
    ],
    [
      "bytes that are no UTF-8",
      died([{ ...WORK, exchange: Buffer.of(0xe9), keys: [Buffer.of(0xff, 0)] }], WORK),
      ["\u{e9}", "\u{ff}\0"],
    ],
    [
      "text with a byte order mark",
      died([{ ...WORK, keys: ["\u{feff}a"] }], WORK),
      ["shop", "\u{ef}\u{bb}\u{bf}a"],
    ],
  ] as const)("is %s", (_, section, expected) => {
    expect(shown(section)).toEqual(expected);
  });

  it.each([
    ["no properties", encodeProperties({})],
    ["no headers of the broker", encodeProperties({ headers: [header("a", long(1))] })],
    [
      "an x-death of its publisher's that is no list",
      encodeProperties({ headers: [header("x-death", longstr("no"))] }),
    ],
    [
      "a list of something else",
      encodeProperties({ headers: [header("x-death", { tag: "A", value: [long(1)] })] }),
    ],
    ["an empty list", died([])],
    ["a first death that is not in the list", died([WAIT], WORK)],
    ["no routing key", died([{ ...WORK, keys: [] }], WORK)],
    ["a table that cannot be parsed", Buffer.from([0x20, 0, 0, 0, 0, 2, 1, 1])],
    ["no bytes at all", Buffer.alloc(0)],
  ])("is not known with %s", (_, section) => {
    expect(shown(section)).toBeNull();
  });

  it("is asked of any properties without failing", () => {
    fc.assert(fc.property(anyProperties, (properties) => void deathOrigin(encodeProperties(properties))));
  });
});

it("what the broker wrote is dropped with every other edit, or kept", () => {
  const rest = { deliveryMode: 2, messageId: Buffer.from("m") };
  const own = [header("tenant", longstr("acme")), header("x-deaths", long(1))];
  const record = (properties: Buffer) => ({
    redelivered: false,
    exchange: properties,
    routingKey: properties,
    body: properties,
    properties,
  });
  const headers = [...DEATH_HEADERS.slice(0, 4).map((name) => header(name, long(1))), ...own];
  headers.push(...DEATH_HEADERS.slice(4).map((name) => header(name, longstr("x"))));
  const section = encodeProperties({ ...rest, headers, userId: Buffer.from("u") });
  const edits = { expiration: "keep", userId: "keep" } as const;
  const edited = (how: object): Buffer =>
    Buffer.from(editedProperties(record(section), { ...edits, deathHeader: "drop", ...how }));
  expect(edited({})).toEqual(encodeProperties({ ...rest, headers: own, userId: Buffer.from("u") }));
  expect(edited({ userId: "drop" })).toEqual(encodeProperties({ ...rest, headers: own }));
  expect(edited({ deathHeader: "keep" })).toEqual(section);
});

describe("the tally of origins", () => {
  it("counts by exchange and key, and what cannot go back or would be copied", () => {
    const tally = new OriginTally();
    const cc = [header("CC", { tag: "A", value: [longstr("other")] })];
    const sections = [
      encodeProperties({}),
      died([WORK], WORK),
      died([{ ...WORK, keys: ["order.sent"] }], WORK),
      died([{ ...WORK, keys: ["order.sent"] }], WORK, cc),
      encodeProperties({ headers: [] }),
    ];
    for (const [at, properties] of sections.entries()) tally.take(at + 10, { properties });
    expect(tally.origins).toEqual([
      { exchange: "shop", routingKey: "order.sent", messages: 2 },
      { exchange: "shop", routingKey: "order.paid", messages: 1 },
    ]);
    expect(tally).toMatchObject({
      others: 0,
      unknown: { messages: 2, first: 10 },
      copied: { messages: 1, first: 13 },
    });
  });

  it("stays small, however many origins there are", () => {
    const tally = new OriginTally();
    for (let n = 0; n < 1200; n += 1)
      tally.take(n, { properties: died([{ ...WORK, keys: [`key.${n}`] }], WORK) });
    tally.take(1200, { properties: died([{ ...WORK, keys: ["key.3"] }], WORK) });
    expect(tally.origins).toHaveLength(1000);
    expect(tally.origins[0]).toMatchObject({ routingKey: "key.3", messages: 2 });
    expect(tally.others).toBe(200);
  });
});
