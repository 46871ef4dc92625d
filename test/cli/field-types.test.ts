import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stripAnnotations } from "../../src/domain/property-section.ts";
import { drain, type Drained } from "../lab/drain.ts";
import { declareQueue, deleteQueue, readyCount, type QueueType } from "../lab/queues.ts";
import { expectFailure, newScene, type Scene } from "../lab/scene.ts";
import { sharedBrokers, newestBroker } from "../lab/shared-brokers.ts";
import { labWriter, outgoing } from "../lab/write.ts";
import { encodeProperties, header, long, longstr, type Field } from "../unit/domain/wire-values.ts";

/** Every type of field table, at its limits, alone and nested. Real numbers that are none are refused by the brokers. */
const FIELDS: readonly Field[] = [
  { tag: "t", value: true },
  { tag: "b", value: -128 },
  { tag: "B", value: 200 },
  { tag: "s", value: -32_768 },
  { tag: "u", value: 65_535 },
  { tag: "I", value: -(2 ** 31) },
  { tag: "i", value: 2 ** 32 - 1 },
  long(-(2n ** 63n)),
  long(9_007_199_254_740_993n),
  { tag: "L", value: 5n },
  { tag: "f", value: 0.1 },
  { tag: "d", value: -0 },
  { tag: "D", scale: 2, digits: 314 },
  longstr(""),
  longstr(Buffer.from("fffe0080", "hex")),
  { tag: "x", value: Buffer.from("00ff", "hex") },
  { tag: "T", value: 1_700_000_000n },
  { tag: "V" },
  { tag: "A", value: [long(1), longstr("two"), { tag: "V" }, { tag: "A", value: [] }] },
  {
    tag: "F",
    value: [header("!", longstr("a")), header("2", long(1)), header("1", { tag: "F", value: [] })],
  },
];

/** By some version: ids of other users, delivery modes and numbers there are none of, names too long, types nobody knows. */
const REFUSED: ReadonlySet<string> = new Set([
  "every property but headers",
  "properties of unusual values",
  "numbers at their limits",
  "short strings of the greatest length",
  "a header type nobody knows, which is left as it is",
  "a second word of flags, which is left as it is",
]);

/** Each type alone, and all together. */
function typedSections(fields: readonly Field[]): Buffer[] {
  return [
    ...fields.map((field) => encodeProperties({ headers: [header("h", field)], deliveryMode: 2 })),
    encodeProperties({ headers: fields.map((field, n) => header(`h${String(n).padStart(2, "0")}`, field)) }),
  ];
}

const UNTYPED_SECTIONS: readonly Buffer[] = [
  encodeProperties({ headers: [header("__proto__", longstr("b")), header("constructor", long(1))] }),
  encodeProperties({ headers: [] }),
  encodeProperties({}),
  encodeProperties({ deliveryMode: 1, correlationId: Buffer.from("ff00", "hex"), timestamp: 2n ** 64n - 1n }),
];

/** Those of `fixtures/` that any broker takes and that stay in their queue. */
function frozenSections(): Buffer[] {
  const file = new URL("../../fixtures/records-v1.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as {
    cases: { name: string; expected: { stripped: string } }[];
  };
  const taken = cases.filter(({ name }) => !REFUSED.has(name));
  return taken.map(({ expected }) => Buffer.from(expected.stripped, "hex"));
}

/** Streams take no decimals and give no tables: what they do take is tried where readers are. */
const CASES = sharedBrokers().flatMap((broker) =>
  (["classic", "quorum"] as const).map((type) => ({ broker, type, version: broker.version })),
);

describe.each(CASES)("$version $type", ({ broker, type }) => {
  test("every type of field comes back byte for byte", async () => {
    await using scene = await newScene(broker);
    // This broker alone delivers unsigned 64-bit integers, and the client that the test drains with breaks off there.
    const breaks = broker.version === "3.10" && type === "classic";
    const sections = [
      ...typedSections(FIELDS.filter(({ tag }) => !breaks || tag !== "L")),
      ...UNTYPED_SECTIONS,
      ...(breaks ? [] : frozenSections()),
    ];
    for (const queue of ["q", "control"]) await published(scene, queue, type, sections);
    // What the broker itself changes when it takes a message, it has changed in both.
    const expected = await drain(scene.vhost, "control");
    expect(expected).toHaveLength(sections.length);

    await scene.backup("--queue", "q", "--keep-deliveries", "5");
    await deleteQueue(scene.vhost, "q");
    expect(await scene.run(["restore", "--id", "latest"])).toMatchObject({ status: 0 });
    const restored = await drain(scene.vhost, "q");
    expect(restored.map(readable)).toEqual(expected.map(readable));
    await scene.expectNothingLeft();
  });
});

test("another user's id is not passed over in silence: the hint says how to keep or drop it", async () => {
  await using scene = await newScene(newestBroker());
  await declareQueue(scene.vhost, "q", "classic");
  const properties = encodeProperties({ deliveryMode: 2, userId: Buffer.from(scene.broker.username) });
  await publish(scene, "q", [outgoing("whose?", { properties })]);
  const id = await scene.backup();
  await deleteQueue(scene.vhost, "q");
  expectFailure(await scene.run(["restore", "--id", id]), {
    status: 1,
    error: /user_id property set to/,
    hint: /impersonator.*--user-id drop/,
    stdout: /^q in \S+ +failed +0 +1 /m,
    before: /^q: failed/,
  });
  expect(await readyCount(scene.vhost, "q")).toBe(0);
  expect(await scene.run(["restore", "--id", id, "--user-id", "drop"])).toMatchObject({ status: 0 });
  const [message] = await drain(scene.vhost, "q");
  expect(message?.rawProperties.toString("hex")).toBe(encodeProperties({ deliveryMode: 2 }).toString("hex"));
});

function readable({ rawProperties, body, routingKey }: Drained) {
  const properties = Buffer.from(stripAnnotations(rawProperties).properties).toString("hex");
  return { properties, body: body.toString("hex"), routingKey };
}

async function published(
  scene: Scene,
  queue: string,
  type: QueueType,
  sections: readonly Buffer[],
): Promise<void> {
  await declareQueue(scene.vhost, queue, type);
  const messages = sections.map((properties, n) => outgoing(`body ${n}`, { properties }));
  await publish(scene, queue, messages);
}

async function publish(
  scene: Scene,
  queue: string,
  messages: readonly ReturnType<typeof outgoing>[],
): Promise<void> {
  await using writer = await labWriter(scene.vhost);
  await using publication = await writer.open({ vhost: scene.vhost.name, name: queue }, "fanout");
  await publication.publish(messages);
  await publication.flush();
}
