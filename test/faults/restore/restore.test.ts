import { describe, expect, it } from "vitest";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import type { Manifest } from "../../../src/domain/manifest.ts";
import { asHex, asPublished, bodies, NOW, restoreLab, type RestoreLab } from "../../fakes/restore-lab.ts";
import { DEFINITIONS, messages, writeBackup } from "../../fakes/sample-backup.ts";
import { encodeProperties, header, longstr } from "../../unit/domain/wire-values.ts";

const COUNT = 60;

describe("restore", () => {
  it("puts every message back, in order, and leaves nothing behind", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    const result = await lab.restore();
    expect(result.failure).toBeNull();
    expect(result.queues).toMatchObject([
      { outcome: "restored", confirmed: COUNT, messages: COUNT, ready: COUNT, short: 0, declared: true },
      { outcome: "restored", confirmed: 7, declared: true },
    ]);
    expect(lab.broker.queues.get("q")?.messages.map(asHex)).toEqual(messages(COUNT).map(asHex));
    expect(lab.broker.bodies("r")).toEqual(bodies(messages(7)));
    expect(lab.broker.openPublications).toBe(0);
    expect([...lab.journals.objects.keys()]).toEqual([]);
  });

  it("declares queues, then exchanges, then bindings, before anything is published", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(3) }], { definitions: [DEFINITIONS] });
    const result = await lab.restore();
    const order = lab.broker.changes.map((change) => change.split(" ")[0]);
    expect(order.toSorted((a, b) => ORDER.indexOf(a ?? "") - ORDER.indexOf(b ?? ""))).toEqual(order);
    expect(lab.broker.changes.at(-1)).toBe("publish q fanout");
    expect(result.exchanges.length + result.bindings).toBe(order.length - 2);
  });

  it.each([
    ["a refusal", "RESTORE_REFUSED", (lab: RestoreLab) => lab.broker.add("q", messages(1).map(asPublished))],
    ["a missing volume", "ARCHIVE_DAMAGED", (lab: RestoreLab) => lab.store.objects.delete(lab.volumeKey(0))],
    [
      "a volume of another size",
      "ARCHIVE_DAMAGED",
      (lab: RestoreLab) => lab.damage(lab.volumeKey(1), (bytes) => bytes.subarray(1)),
    ],
  ])("touches nothing after %s", async (_, code, arrange) => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    arrange(lab);
    const before = lab.broker.bodies("q");
    await expect(lab.restore()).rejects.toMatchObject({ code });
    expect(lab.broker.changes).toEqual([]);
    expect(lab.broker.bodies("q")).toEqual(before);
    expect(lab.journals.objects.size).toBe(0);
  });

  it("only plans when run dry, refusals and all", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    lab.broker.add("q", messages(1).map(asPublished));
    const result = await lab.restore({ dryRun: true });
    expect(result).toMatchObject({ dryRun: true, queues: [], failure: null });
    expect(result.plan.refusals).toMatchObject([{ code: "not-empty" }]);
    expect(result.plan.queues.map(({ declare }) => declare?.name)).toEqual([undefined, "r"]);
    expect(lab.broker.changes).toEqual([]);
    expect(lab.journals.objects.size).toBe(0);
  });

  it("names every refusal in one error, and tells the plan before", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(3) },
      { name: "r", records: messages(3) },
    ]);
    for (const name of ["q", "r"]) lab.broker.add(name, messages(2).map(asPublished));
    await expect(lab.restore()).rejects.toMatchObject({
      code: "RESTORE_REFUSED",
      message: "queue q in virtual host / holds 2 messages; queue r in virtual host / holds 2 messages",
    });
    expect(lab.events).toContainEqual(expect.objectContaining({ kind: "planned" }));
  });

  it("finds damage before anything of that segment is published; other queues go on", async () => {
    const lab = await restoreLab([
      { name: "q", records: messages(COUNT) },
      { name: "r", records: messages(7) },
    ]);
    const [queue] = lab.manifest.queues;
    const segment = queue?.segments[3];
    if (!segment) throw new Error("the sample has too few segments");
    lab.damage(lab.volumeKey(segment.volume - 1), (bytes) => {
      bytes[segment.offset + 20] = (bytes[segment.offset + 20] ?? 0) ^ 1;
      return bytes;
    });
    const result = await lab.restore();
    expect(result.failure).toMatchObject({ code: "ARCHIVE_DAMAGED" });
    expect(result.queues).toMatchObject([
      { outcome: "failed", confirmed: segment.first },
      { outcome: "restored", confirmed: 7 },
    ]);
    expect(lab.broker.bodies("q")).toEqual(bodies(messages(segment.first)));
    expect(lab.broker.openPublications).toBe(0);
  });

  it("refuses CC headers by the default exchange before any message of that segment is sent", async () => {
    const copied = encodeProperties({
      headers: [header("CC", { tag: "A", value: [longstr("other")] })],
      deliveryMode: 2,
    });
    const records = messages(COUNT).map((record, i) =>
      i === 40 ? { ...record, properties: copied } : record,
    );
    const lab = await restoreLab([{ name: "q", records }]);
    const refused = await lab.restore({ route: "default" });
    expect(refused.failure).toMatchObject({
      code: "RESTORE_REFUSED",
      message: expect.stringContaining("message 41 of queue q") as string,
    });
    const [first] = refused.queues;
    const [entry] = lab.manifest.queues;
    expect(entry?.segments.map((segment) => segment.first)).toContain(first?.confirmed);
    lab.broker.add("q");
    const accepted = await lab.restore({ route: "default", accept: new Set(["cc"]) });
    expect(accepted.failure).toBeNull();
    expect(lab.broker.queues.get("q")?.messages.length).toBe(COUNT);
  });

  it("takes the parts that another backup holds from there", async () => {
    const lab = await restoreLab([{ name: "q", records: messages(COUNT) }]);
    const [base] = lab.manifest.queues;
    if (!base) throw new Error("no queue");
    const second = await writeBackup(lab.catalog, {
      now: new Date(NOW.getTime() + 60_000),
      queues: [{ name: "q", records: messages(5) }],
    });
    const content = [
      { kind: "kept", backup: lab.manifest.id, ordinal: base.ordinal, first: 50, count: 10 },
      { kind: "new", first: 0, count: 5 },
      { kind: "kept", backup: lab.manifest.id, ordinal: base.ordinal, first: 3, count: 2 },
    ] as const;
    const queues = second.queues.map((queue) => ({ ...queue, content, messages: 17 }));
    const id = await asIncremental(lab, { ...second, queues });
    const result = await lab.restore({ backup: id });
    expect(result.failure).toBeNull();
    const all = messages(COUNT);
    expect(lab.broker.bodies("q")).toEqual(bodies([...all.slice(50), ...messages(5), ...all.slice(3, 5)]));
  });
});

const ORDER = ["queue", "exchange", "binding", "publish"];

/** The same backup again, as an incremental on the first. */
async function asIncremental(lab: RestoreLab, second: Manifest): Promise<string> {
  const base = parseBackupId(lab.manifest.id);
  const id = await lab.catalog.claim({ kind: "incremental", base, now: NOW });
  for (const { name } of [...second.volumes, second.index]) {
    const kept = lab.store.objects.get(`backups/${second.id}/${name}`);
    if (kept) lab.store.objects.set(`backups/${id}/${name}`, kept);
  }
  const counts = { messages: 17, knownMessages: 17 };
  await lab.catalog.commit({
    ...second,
    id,
    base,
    kind: "incremental",
    measures: { ...second.measures, ...counts },
  });
  return id;
}
