import { describe, expect, it } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import type { MessageFilter } from "../../../src/ports/message-filter.ts";
import { failing } from "../../fakes/failing.ts";
import { asPublished, bodies, NOW, restoreLab, type RestoreLab } from "../../fakes/restore-lab.ts";
import { message, messages, writeBackup } from "../../fakes/sample-backup.ts";

const COUNT = 60;
/** Not those of a segment alone, and none of some segments. */
const SOME: MessageFilter = {
  text: "some",
  matches: ({ sequence }) => sequence % 7 === 3 || (sequence > 20 && sequence < 29),
};
const RANGE = { from: 5, to: 50 };
const wanted = messages(COUNT).filter(
  (_, at) => at >= RANGE.from && at <= RANGE.to && (at % 7 === 3 || (at > 20 && at < 29)),
);
const SELECTION = { filter: SOME, range: RANGE };

const newLab = async (): Promise<RestoreLab> => restoreLab([{ name: "q", records: messages(COUNT) }]);
const lost = (): Error => new BackupError("BROKER_LOST", "lost");

describe("restoring a selection", () => {
  it("publishes those messages and no others, in order, and reads them back", async () => {
    const lab = await newLab();
    const result = await lab.restore({ ...SELECTION, readBack: true });
    expect(result.failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies(wanted));
    expect(result.queues).toMatchObject([
      {
        messages: wanted.length,
        confirmed: wanted.length,
        short: 0,
        readBack: { kind: "same", messages: wanted.length },
      },
    ]);
    expect(lab.events[0]).toMatchObject({ kind: "selected", messages: wanted.length, of: COUNT });
  });

  it("plans the exact number, and touches nothing for that", async () => {
    const lab = await newLab();
    const { plan } = await lab.restore({ ...SELECTION, dryRun: true });
    expect(plan.queues).toMatchObject([
      { messages: wanted.length, notes: [`${wanted.length} of 60 messages are selected`] },
    ]);
    expect(lab.broker.changes).toEqual([]);
  });

  it("reads no segment that holds none of them a second time", async () => {
    const lab = await newLab();
    const only: MessageFilter = { text: "one", matches: ({ sequence }) => sequence === 44 };
    using watched = failing(lab.store, []);
    const range = { from: 30, to: null };
    const result = await lab.restore({ filter: only, range }, undefined, { store: watched });
    expect(result.failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies([message(44)]));
    const [entry] = result.plan.queues;
    const segments = entry?.source.segments ?? [];
    const inRange = segments.filter(({ first, records }) => first + records > range.from);
    expect(inRange.length).toBeLessThan(segments.length);
    expect(watched.calls.filter((call) => call.startsWith("get") && call.includes("data-"))).toHaveLength(
      inRange.length + 1,
    );
  });

  it("takes what is selected of an incremental from where it is held", async () => {
    const base = { now: NOW, queues: [{ name: "q", records: messages(COUNT) }] };
    const lab = await restoreLab(base.queues);
    const records = [...messages(COUNT).slice(20), ...messages(COUNT + 30).slice(COUNT)];
    const later = new Date(NOW.getTime() + 60_000);
    const { id } = await writeBackup(lab.catalog, {
      now: later,
      queues: [{ name: "q", records }],
      base: { manifest: lab.manifest, sample: base },
    });
    const result = await lab.restore({
      backup: id,
      ...SELECTION,
      range: { from: 5, to: 62 },
      readBack: true,
    });
    expect(result.failure).toBeNull();
    const chosen = records.filter((_, at) => at >= 5 && at <= 62 && (at % 7 === 3 || (at > 20 && at < 29)));
    expect(lab.broker.bodies("q")).toEqual(bodies(chosen));
    expect(result.queues).toMatchObject([{ readBack: { kind: "same", messages: chosen.length } }]);
  });

  it("resumes without a duplicate wherever it broke", async () => {
    for (let stored = 1; stored <= wanted.length; stored += 2) {
      for (const confirmed of [0, stored]) {
        const lab = await newLab();
        lab.broker.faults = [{ queue: "q", stored, confirmed, happens: lost }];
        expect((await lab.restore(SELECTION)).failure).toMatchObject({ code: "BROKER_LOST" });
        const resumed = await lab.restore({ ...SELECTION, resume: true, readBack: true });
        expect(resumed.failure).toBeNull();
        expect(resumed.queues).toMatchObject([{ before: stored, confirmed: wanted.length }]);
        expect(lab.broker.bodies("q")).toEqual(bodies(wanted));
        expect(lab.journals.objects.size).toBe(0);
      }
    }
  });

  it("does not resume with another selection", async () => {
    const lab = await newLab();
    lab.broker.faults = [{ queue: "q", stored: 5, confirmed: 5, happens: lost }];
    await lab.restore(SELECTION);
    for (const other of [
      {},
      { filter: SOME },
      { ...SELECTION, range: { from: 5, to: 51 } },
      { ...SELECTION, filter: { ...SOME, text: "other" } },
    ]) {
      await expect(lab.restore({ ...other, resume: true })).rejects.toMatchObject({
        code: "RESTORE_REFUSED",
        message: expect.stringContaining("--from-seq 5 --to-seq 50 --where 'some'") as string,
        hint: expect.stringContaining("flags of the restore that broke off") as string,
      });
    }
    expect(lab.broker.bodies("q")).toEqual(bodies(wanted.slice(0, 5)));
  });

  it("proves by reading back how far it came, where counting does not tell", async () => {
    const lab = await newLab();
    lab.broker.faults = [
      { queue: "q", stored: 8, confirmed: 4, happens: () => new BackupError("PUBLISH_REFUSED", "refused") },
    ];
    await lab.restore(SELECTION);
    const resumed = await lab.restore({ ...SELECTION, resume: true });
    expect(resumed.failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies(wanted));
  });

  it("names the message that differs by its place in the backup", async () => {
    const lab = await newLab();
    lab.broker.onPublish = () => void (lab.broker.onPublish = () => undefined);
    const reader = lab.broker.reader();
    const open: typeof reader.open = async (...args) => {
      const queue = lab.broker.queues.get("q");
      queue?.messages.splice(3, 1, asPublished(message(99)));
      return reader.open(...args);
    };
    const { failure, queues } = await lab.restore({ ...SELECTION, readBack: true }, undefined, {
      reader: { open },
    });
    const place = messages(COUNT).findIndex((each) => bodies([each])[0] === bodies(wanted)[3]);
    expect(queues).toMatchObject([{ readBack: { kind: "differs", sequence: place, part: "body" } }]);
    expect(failure?.message).toContain(`the body of message ${place + 1} differs`);
  });

  it("leaves queues alone of which nothing is selected, and says so", async () => {
    const two = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(9) },
    ]);
    two.broker.add("r", messages(2).map(asPublished));
    const filter: MessageFilter = { text: "q", matches: ({ queue }) => queue.name === "q" };
    const result = await two.restore({ filter });
    expect(result.failure).toBeNull();
    expect(result.plan.unselected).toMatchObject([{ vhost: "/", name: "r" }]);
    expect(result.queues.map(({ source }) => source.name)).toEqual(["q"]);
    expect(two.broker.bodies("r")).toEqual(bodies(messages(2)));
  });

  it("is an error when nothing at all is selected", async () => {
    const lab = await newLab();
    await expect(lab.restore({ range: { from: COUNT, to: null } })).rejects.toMatchObject({
      code: "NO_MESSAGE_SELECTED",
      message: expect.stringContaining("--from-seq 60 selects no message of backup 2026") as string,
    });
    expect(lab.broker.changes).toEqual([]);
  });

  it("touches nothing when the condition cannot be answered for one message, be it the last", async () => {
    const lab = await newLab();
    const filter: MessageFilter = {
      text: "x",
      matches({ sequence }) {
        if (sequence < COUNT - 1) return true;
        throw new BackupError("USAGE", "no answer");
      },
    };
    await expect(lab.restore({ filter })).rejects.toMatchObject({ code: "USAGE", message: "no answer" });
    expect(lab.broker.changes).toEqual([]);
  });

  it("touches nothing when a segment it has to look through is damaged", async () => {
    const lab = await newLab();
    const last = lab.manifest.queues[0]?.segments.at(-1);
    lab.damage(lab.volumeKey((last?.volume ?? 1) - 1), (bytes) => {
      const at = (last?.offset ?? 0) + 5;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      return bytes;
    });
    await expect(lab.restore({ filter: SOME })).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
    expect(lab.broker.changes).toEqual([]);
    // What the range leaves out does not matter.
    expect((await lab.restore({ range: { from: 0, to: 9 } })).failure).toBeNull();
    expect(lab.broker.bodies("q")).toEqual(bodies(messages(10)));
  });

  it("stops when interrupted while it looks for them", async () => {
    const lab = await newLab();
    const controller = new AbortController();
    const filter: MessageFilter = {
      text: "x",
      matches({ sequence }) {
        if (sequence === 9) controller.abort();
        return true;
      },
    };
    await expect(lab.restore({ filter }, controller.signal)).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(lab.broker.changes).toEqual([]);
  });
});
