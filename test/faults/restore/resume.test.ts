import { describe, expect, it } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import { failing } from "../../fakes/failing.ts";
import { bodies, NOW, restoreLab, type RestoreLab } from "../../fakes/restore-lab.ts";
import { messages } from "../../fakes/sample-backup.ts";
import { encodeProperties, type Properties } from "../../unit/domain/wire-values.ts";

const COUNT = 60;
const lost = (): Error => new BackupError("BROKER_LOST", "lost");

describe("resuming a restore", () => {
  it("goes on after a broken connection without a duplicate, wherever it broke", async () => {
    for (const stored of [1, 2, 13, 30, COUNT - 1, COUNT]) {
      for (const confirmed of [0, Math.floor(stored / 2), stored]) {
        const lab = await restoreLab([{ name: "q", records: messages(COUNT) }]);
        lab.broker.faults = [{ queue: "q", stored, confirmed, happens: lost }];
        const broken = await lab.restore();
        expect(broken.failure).toMatchObject({ code: "BROKER_LOST" });
        expect(broken.queues).toMatchObject([{ outcome: "failed", confirmed }]);
        const resumed = await lab.restore({ resume: true });
        expect(resumed.failure).toBeNull();
        expect(resumed.queues).toMatchObject([{ before: stored, confirmed: COUNT }]);
        expect(lab.broker.bodies("q")).toEqual(bodies(messages(COUNT)));
        expect(lab.journals.objects.size).toBe(0);
      }
    }
  });

  it("goes on after being killed at any message: the journal is always ahead of what is sent", async () => {
    for (let stored = 1; stored <= COUNT; stored += 6) {
      const lab = await restoreLab([{ name: "q", records: messages(COUNT) }]);
      lab.broker.onPublish = (_, upTo) => expect(lab.journal().limit).toBeGreaterThanOrEqual(upTo);
      // Not an error of ours: nothing is done after it, as when the process is gone.
      lab.broker.faults = [{ queue: "q", stored, confirmed: 0, happens: () => new Error("killed") }];
      await expect(lab.restore()).rejects.toThrow("killed");
      await lab.restore({ resume: true });
      expect(lab.broker.bodies("q")).toEqual(bodies(messages(COUNT)));
    }
  });

  it("skips queues that were finished before, even if their consumers are back", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    lab.broker.faults = [{ queue: "r", stored: 3, confirmed: 2, happens: lost }];
    await lab.restore();
    lab.broker.queues.get("q")?.messages.splice(0, 20);
    const resumed = await lab.restore({ resume: true });
    expect(resumed.queues).toMatchObject([
      { before: COUNT, confirmed: COUNT },
      { before: 3, confirmed: 7 },
    ]);
    expect(lab.broker.bodies("q").length).toBe(COUNT - 20);
    expect(lab.broker.bodies("r")).toEqual(bodies(messages(7)));
  });

  it("refuses to guess, and repeats what was not confirmed when that is accepted", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(COUNT) }]);
    lab.broker.faults = [{ queue: "q", stored: 30, confirmed: 20, happens: lost }];
    await lab.restore();
    const queue = lab.broker.queues.get("q");
    if (queue) queue.consumers = 1;
    await expect(lab.restore({ resume: true })).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      hint: expect.stringContaining("--accept duplicates") as string,
    });
    const resumed = await lab.restore({ resume: true, accept: new Set(["duplicates"]) });
    expect(resumed.queues).toMatchObject([{ before: 20, duplicates: COUNT - 20 }]);
    expect(lab.broker.bodies("q")).toEqual([...bodies(messages(30)), ...bodies(messages(COUNT).slice(20))]);
  });

  it.each([
    ["transient messages", { deliveryMode: 1 }],
    ["messages that expire", { deliveryMode: 2, expiration: Buffer.from("60000") }],
  ])("proves the count of %s by reading back", async (_, properties: Properties) => {
    const records = messages(COUNT).map((record) => ({
      ...record,
      properties: encodeProperties(properties),
    }));
    const lab = await brokenOff(records, { stored: 30, confirmed: 10 });
    const resumed = await lab.restore({ resume: true });
    expect(resumed.failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies(records));
  });

  it("refuses when reading back shows that the count deceives", async () => {
    const properties = encodeProperties({ deliveryMode: 1 });
    const lab = await brokenOff(
      messages(COUNT).map((record) => ({ ...record, properties })),
      {
        stored: 30,
        confirmed: 10,
      },
    );
    lab.broker.queues.get("q")?.messages.splice(4, 1);
    await expect(lab.restore({ resume: true })).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      message: expect.stringContaining("differs at message 5 (body)") as string,
    });
    expect(lab.broker.bodies("q").length).toBe(29);
  });

  it("stops when interrupted, says how far it came, and goes on", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    const controller = new AbortController();
    lab.broker.onPublish = (_, upTo) => {
      if (upTo > 20) controller.abort();
    };
    const result = await lab.restore({ parallel: 1 }, controller.signal);
    expect(result.failure).toMatchObject({ code: "INTERRUPTED" });
    const [first, second] = result.queues;
    expect(first).toMatchObject({ outcome: "interrupted", confirmed: lab.broker.bodies("q").length });
    expect(second).toMatchObject({ outcome: "not-begun", confirmed: 0 });
    expect(first?.confirmed).toBeLessThan(COUNT);
    expect(lab.broker.openPublications).toBe(0);
    lab.broker.onPublish = () => undefined;
    expect((await lab.restore({ resume: true })).failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies(messages(COUNT)));
    expect(lab.broker.bodies("r")).toEqual(bodies(messages(7)));
  });

  it("sends nothing when the journal cannot be kept", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(COUNT) }]);
    using journals = failing(lab.journals, [
      { on: "put", error: new BackupError("TARGET_FULL", "disk full") },
    ]);
    const result = await lab.restore({}, undefined, { journals });
    expect(result.failure).toMatchObject({ code: "TARGET_FULL" });
    expect(lab.broker.bodies("q")).toEqual([]);
  });

  it("is not held up by an old journal it cannot read, unless it should resume", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(3) }]);
    lab.broker.faults = [{ queue: "q", stored: 2, confirmed: 2, happens: lost }];
    await lab.restore();
    for (const key of lab.journals.objects.keys()) {
      lab.journals.objects.set(key, { bytes: Buffer.from("{"), modifiedAt: NOW });
    }
    await expect(lab.restore({ resume: true })).rejects.toMatchObject({ code: "RESTORE_REFUSED" });
    lab.broker.add("q");
    expect((await lab.restore()).failure).toBeNull();
  });
});

async function brokenOff(
  records: readonly MessageRecord[],
  where: { readonly stored: number; readonly confirmed: number },
): Promise<RestoreLab> {
  const lab = await restoreLab([{ name: "q", records }]);
  lab.broker.faults = [{ queue: "q", ...where, happens: lost }];
  expect((await lab.restore()).failure).toMatchObject({ code: "BROKER_LOST" });
  return lab;
}
