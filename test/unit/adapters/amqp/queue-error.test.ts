import { describe, expect, it } from "vitest";
import { lostError } from "../../../../src/adapters/amqp/amqp-errors.ts";
import { channelEnd, endReason, queueError } from "../../../../src/adapters/amqp/queue-error.ts";

const QUEUE = { vhost: "v", name: "q" };

describe("a refused request", () => {
  it.each([
    [404, "NOT_FOUND - no queue 'q' in vhost 'v'", "QUEUE_MISSING"],
    [403, "ACCESS_REFUSED - read access to queue 'q' in vhost 'v' refused for user 'u'", "QUEUE_REFUSED"],
    [403, "ACCESS_REFUSED - queue 'q' in vhost 'v' in exclusive use", "QUEUE_BUSY"],
    [405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'", "QUEUE_BUSY"],
    [406, "PRECONDITION_FAILED - whatever", "QUEUE_UNREADABLE"],
  ])("with %i %s is %s", (code, text, expected) => {
    expect(queueError(refusal(code, text), QUEUE, null)).toMatchObject({ code: expected });
  });

  it("that was not answered means what ended its channel", () => {
    const unanswered = new Error("Channel ended, no reply will be forthcoming");
    const missing = channelEnd(refusal(404, "NOT_FOUND - no queue 'q' in vhost 'v'"));
    expect(queueError(unanswered, QUEUE, missing)).toMatchObject({ code: "QUEUE_MISSING" });
    const lost = channelEnd(lostError(new Error("read ECONNRESET"), "amqp://host/v"));
    expect(queueError(unanswered, QUEUE, lost)).toMatchObject({ code: "BROKER_LOST", message: /ECONNRESET/ });
  });

  it("because a message cannot be delivered names the cause and warns of a second try", () => {
    const end = channelEnd(lostError(refusal(541, "INTERNAL_ERROR"), "amqp://host/v"));
    expect(queueError(new Error("Channel ended"), QUEUE, end)).toMatchObject({
      code: "QUEUE_UNREADABLE",
      message: /uuid or char/,
      hint: /do not try again/i,
    });
    expect(endReason(end)).toMatchObject({ code: "UNDELIVERABLE", message: /uuid or char/ });
  });
});

describe("the end of a channel", () => {
  it("by the consumer timeout is a hold that took too long", () => {
    const text =
      "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 60000 ms.";
    expect(endReason(channelEnd(refusal(406, text)))).toMatchObject({ code: "HELD_TOO_LONG" });
  });

  it("by anything else is a broker lost", () => {
    expect(endReason(channelEnd(new Error("Unexpected close")))).toMatchObject({ code: "BROKER_LOST" });
  });
});

/** As amqplib says it. */
function refusal(code: number, text: string): Error {
  return Object.assign(new Error(`Operation failed: BasicConsume; ${code} (X) with message "${text}"`), {
    code,
  });
}
