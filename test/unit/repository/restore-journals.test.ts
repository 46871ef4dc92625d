import { describe, expect, it } from "vitest";
import type { RestoreJournal } from "../../../src/domain/restore-journal.ts";
import { RestoreJournals } from "../../../src/repository/restore-journals.ts";
import { memoryStore } from "../../fakes/memory-store.ts";

const JOURNAL: RestoreJournal = {
  backup: "20261121-193200F",
  broker: "rabbit@a at amqp://a:5672/%2F",
  source: { vhost: "/", name: "../q" },
  destination: { vhost: "/", name: "../q" },
  route: "fanout",
  selection: "--from-seq 3",
  total: 10,
  initial: 1,
  confirmed: 2,
  limit: 5,
  transient: false,
  expiring: true,
  refusedAt: 3,
  declared: true,
  finished: false,
};

describe("restore journals", () => {
  it("of versions that knew no selection are of all messages", async () => {
    const store = memoryStore();
    const journals = new RestoreJournals(store);
    await journals.save(JOURNAL);
    for (const [key, { bytes, modifiedAt }] of store.objects) {
      const text = bytes.toString().replace(/ *"selection": ".*",\n/, "");
      expect(text).not.toContain("selection");
      store.objects.set(key, { bytes: Buffer.from(text), modifiedAt });
    }
    expect(await journals.load(JOURNAL)).toEqual({ ...JOURNAL, selection: "" });
  });

  it("give back what was saved last, and nothing once removed", async () => {
    const store = memoryStore();
    const journals = new RestoreJournals(store);
    expect(await journals.load(JOURNAL)).toBeNull();
    await journals.save(JOURNAL);
    await journals.save({ ...JOURNAL, confirmed: 4 });
    expect(await journals.load(JOURNAL)).toEqual({ ...JOURNAL, confirmed: 4 });
    expect([...store.objects.keys()]).toEqual([
      expect.stringMatching(/^restores\/20261121-193200F\/[0-9a-f]{32}\.json$/),
    ]);
    await journals.remove(JOURNAL);
    expect(await journals.load(JOURNAL)).toBeNull();
  });

  it.each([
    { backup: "20261121-193201F" },
    { broker: "rabbit@a at amqp://b:5672/%2F" },
    { source: { vhost: "/", name: "r" } },
    { source: { vhost: "v", name: "../q" } },
    { destination: { vhost: "/", name: "r" } },
    { destination: { vhost: "v", name: "../q" } },
  ])("keep apart what differs in %o", async (more) => {
    const journals = new RestoreJournals(memoryStore());
    await journals.save(JOURNAL);
    expect(await journals.load({ ...JOURNAL, ...more })).toBeNull();
  });

  it.each([
    "",
    "{",
    "{}",
    JSON.stringify({ ...JOURNAL, version: 2 }),
    JSON.stringify({ ...JOURNAL, version: 1, limit: -1 }),
  ])("refuse %j", async (text) => {
    const store = memoryStore();
    const journals = new RestoreJournals(store);
    await journals.save(JOURNAL);
    for (const key of store.objects.keys()) {
      store.objects.set(key, { bytes: Buffer.from(text), modifiedAt: new Date() });
    }
    await expect(journals.load(JOURNAL)).rejects.toMatchObject({ code: "RESTORE_REFUSED" });
  });
});
