import { describe, expect, it } from "vitest";
import { parseQueueMapping } from "../../../src/domain/queue-mapping.ts";
import type { OutgoingMessage, QueueWriter } from "../../../src/ports/queue-writer.ts";
import { asPublished, bodies, restoreLab } from "../../fakes/restore-lab.ts";
import { messages } from "../../fakes/sample-backup.ts";
import { encodeProperties } from "../../unit/domain/wire-values.ts";

type MessageList = OutgoingMessage[];

describe("reading back", () => {
  it("drops expiration and user id when told to, and nothing else", async () => {
    const kept = { deliveryMode: 2, messageId: Buffer.from("m") };
    const full = { ...kept, expiration: Buffer.from("5"), userId: Buffer.from("alice") };
    const records = messages(3).map((record) => ({ ...record, properties: encodeProperties(full) }));
    const lab = await restoreLab([{ name: "q", records }]);
    const result = await lab.restore({ expiration: "drop", userId: "drop", readBack: true });
    expect(result.queues).toMatchObject([{ readBack: { kind: "same", messages: 3 } }]);
    for (const { properties } of lab.broker.queues.get("q")?.messages ?? []) {
      expect(Buffer.from(properties)).toEqual(encodeProperties(kept));
    }
  });

  it("puts one queue behind the other when both go into one", async () => {
    const lab = await restoreLab([
      { name: "a", records: messages(20) },
      { name: "b", records: messages(9) },
    ]);
    lab.broker.add("all", messages(2).map(asPublished));
    const result = await lab.restore({
      append: true,
      mappings: [parseQueueMapping("*=all")],
      parallel: 4,
      readBack: true,
    });
    expect(result.failure).toBeNull();
    expect(lab.broker.bodies("all")).toEqual([
      ...bodies(messages(2)),
      ...bodies(messages(20)),
      ...bodies(messages(9)),
    ]);
    expect(result.queues.map(({ readBack }) => readBack)).toEqual([null, { kind: "same", messages: 29 }]);
  });

  it("says when a queue cannot be read back", async () => {
    const lab = await restoreLab([{ name: "q", type: "quorum", records: messages(9) }]);
    const broker = { product: "RabbitMQ", version: "4.0.5", clusterName: null };
    const openWriter = async (): Promise<QueueWriter> => ({ ...lab.broker.writer(), broker });
    const result = await lab.restore({ readBack: true }, undefined, { openWriter });
    expect(result.failure).toBeNull();
    expect(result.queues).toMatchObject([{ outcome: "restored", readBack: { kind: "unread" } }]);
  });

  it("says when fewer messages are there than were confirmed", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(9) }]);
    const writer = lab.broker.writer();
    const result = await lab.restore({}, undefined, {
      openWriter: async () => ({
        ...writer,
        inspect: async (queue) => {
          const found = await writer.inspect(queue);
          return found && found.ready > 0 ? { ...found, ready: found.ready - 2 } : found;
        },
      }),
    });
    expect(result.queues).toMatchObject([{ outcome: "restored", ready: 7, short: 2 }]);
  });

  it.each([
    [
      "a body",
      (queue: MessageList) => (queue[3] = { ...at(queue, 3), body: Buffer.from("x") }),
      { sequence: 3, part: "body" },
    ],
    [
      "a property",
      (queue: MessageList) => (queue[3] = { ...at(queue, 3), properties: Buffer.of(0, 0) }),
      { sequence: 3, part: "properties" },
    ],
    [
      "a routing key",
      (queue: MessageList) => (queue[3] = { ...at(queue, 3), routingKey: Buffer.from("x") }),
      { sequence: 3, part: "routing key" },
    ],
    ["a missing message", (queue: MessageList) => queue.pop(), { sequence: 8, part: "missing" }],
    ["a message too many", (queue: MessageList) => queue.push(at(queue, 0)), { sequence: 9, part: "extra" }],
  ])("reads back and finds %s", async (_, change, difference) => {
    const lab = await restoreLab([{ name: "q", records: messages(9) }]);
    const reader = lab.broker.reader();
    const result = await lab.restore({ readBack: true }, undefined, {
      reader: {
        open: async (...request) => {
          change(lab.broker.queues.get("q")?.messages ?? []);
          return reader.open(...request);
        },
      },
    });
    expect(result.failure).toMatchObject({ code: "READ_BACK_DIFFERS" });
    expect(result.queues).toMatchObject([
      { outcome: "failed", readBack: { kind: "differs", ...difference } },
    ]);
  });
});

function at(queue: MessageList, index: number): OutgoingMessage {
  const message = queue[index];
  if (!message) throw new Error(`no message ${index}`);
  return message;
}
