import { describe, expect, it } from "vitest";
import type { Look } from "../../../../src/adapters/amqp/first-look.ts";
import { proveNackIsFree } from "../../../../src/adapters/amqp/quorum-proof.ts";
import { encodeProperties, header, long } from "../../domain/wire-values.ts";

const QUEUE = { vhost: "v", name: "q" };

describe("the proof that a nack is free", () => {
  it.each([
    ["was delivered before, on the newer machine", [seen(true, 1)], 0],
    ["comes again with a count", [seen(false, null), seen(true, 1)], 1],
    ["comes again with a count above the publisher's", [seen(false, 4), seen(true, 5)], 1],
    [
      "first shows the publisher's count, which then rises",
      [seen(false, 1), seen(true, 1), seen(true, 2)],
      2,
    ],
    [
      "is another one each time, until one comes again",
      [seen(false, null), seen(false, null), seen(true, 1)],
      2,
    ],
  ])("is there when the message %s", async (_what, looks, times) => {
    const { proven, asked } = await prove(looks);
    expect(proven).toBe(looks.at(-1));
    expect(asked).toBe(times);
  });

  it.each([
    ["was delivered before, on the older machine", [seen(true, null)]],
    ["comes again without a count", [seen(false, null), seen(true, null)]],
    ["keeps the count its publisher gave it", [seen(false, 1), seen(true, 1), seen(true, 1)]],
  ])("is not there when the message %s", async (_what, looks) => {
    await expect(prove(looks)).rejects.toMatchObject({ code: "QUEUE_UNSAFE", message: /counts against/ });
  });

  it("needs a message", async () => {
    expect((await prove([seen(false, null), NOTHING])).proven).toBe(NOTHING);
  });

  it("is given up when others are always faster", async () => {
    const looks = Array.from({ length: 9 }, () => seen(false, null));
    await expect(prove(looks)).rejects.toMatchObject({ code: "QUEUE_UNSAFE", message: /busy consumers/ });
  });
});

const NOTHING: Look = { first: null, others: { ready: 0, consumers: 3 } };

function seen(redelivered: boolean, acquired: number | null): Look {
  const nothing = new Uint8Array(0);
  const headers = acquired === null ? [] : [header("x-acquired-count", long(acquired))];
  const delivery = {
    deliveryTag: 1,
    redelivered,
    exchange: nothing,
    routingKey: nothing,
    properties: encodeProperties({ headers }),
    body: nothing,
  };
  return { first: { delivery, consumerTag: "t" }, others: { ready: 9, consumers: 0 } };
}

async function prove(looks: readonly Look[]): Promise<{ readonly proven: Look; readonly asked: number }> {
  let asked = 0;
  const again = (): Promise<Look> => Promise.resolve(looks[++asked] ?? NOTHING);
  const proven = await proveNackIsFree({ again }, looks[0] ?? NOTHING, QUEUE);
  return { proven, asked };
}
