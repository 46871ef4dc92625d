import { describe, expect, it } from "vitest";
import { BackupError } from "../../../src/domain/errors.ts";
import { scratchDescription } from "../../../src/domain/scratch-host.ts";
import type { DrillResult } from "../../../src/usecases/drill-types.ts";
import { drillLab, type DrillLab } from "../../fakes/drill-lab.ts";
import { MemoryBroker } from "../../fakes/memory-broker.ts";
import { bodies, NOW } from "../../fakes/restore-lab.ts";
import { DEFINITIONS, message, messages } from "../../fakes/sample-backup.ts";
import { encodeProperties } from "../domain/wire-values.ts";

const ORDERS = { name: "orders", records: messages(30) };
const SCRATCH = "mqbackup.drill.run.1";
const HERE = { machine: "here", pid: 2, run: "r" };
const THERE = { machine: "there", pid: 7, run: "r" };

describe("a drill", () => {
  it("restores every queue into a virtual host of its own, reads it back, and removes it", async () => {
    const lab = await drillLab({ queues: [ORDERS, { name: "empty", records: [] }] });
    const production = addProduction(lab);
    let held: string[] = [];
    const result = await lab.drill({}, undefined, {
      reader: {
        open: async (queue, ...more) => {
          if (queue.name === "orders") held = lab.vhosts.get(queue.vhost)?.bodies("orders") ?? [];
          return lab.deps.reader.open(queue, ...more);
        },
      },
    });
    expect(held).toEqual(bodies(ORDERS.records));
    expect(result).toMatchObject({ failure: null, notRemoved: [], swept: [], left: [], userIds: "dropped" });
    expect(summary(result)).toEqual(["orders proven 30 of 30", "empty proven 0 of 0"]);
    expect([...lab.vhosts.keys()]).toEqual(["/"]);
    expect(production.changes).toEqual([]);
    expect(lab.calls).toEqual([
      "list",
      `create ${SCRATCH}`,
      `permit ${SCRATCH}`,
      "mayImpersonate",
      `remove ${SCRATCH}`,
    ]);
  });

  it("makes one virtual host for each of the backup, and tells events by the backup's own", async () => {
    const lab = await drillLab({
      queues: [
        { ...ORDERS, vhost: "a" },
        { ...ORDERS, vhost: "b", records: messages(3) },
      ],
    });
    const result = await lab.drill();
    expect(summary(result)).toEqual(["orders proven 30 of 30", "orders proven 3 of 3"]);
    expect(result.queues.map(({ queue }) => queue.vhost)).toEqual(["a", "b"]);
    const told = lab.events.flatMap((event) => (event.kind === "queue-begun" ? [event.queue.vhost] : []));
    expect(told.toSorted()).toEqual(["a", "b"]);
    expect(lab.events.filter(({ kind }) => kind === "scratch-removed")).toHaveLength(2);
    expect(lab.vhosts.size).toBe(0);
  });

  it("proves what an incremental keeps from others", async () => {
    const lab = await drillLab(
      { queues: [ORDERS] },
      { queues: [{ ...ORDERS, records: [...messages(30).slice(10), message(99)] }] },
    );
    expect(lab.manifest.queues[0]?.content.map(({ kind }) => kind)).toEqual(["kept", "new"]);
    expect(summary(await lab.drill())).toEqual(["orders proven 21 of 21"]);
  });

  it("declares queues without what takes messages, and with what leads to them", async () => {
    const args = {
      "x-message-ttl": 1,
      "x-max-length": 2,
      "x-dead-letter-exchange": "d",
      "x-queue-mode": "lazy",
    };
    const entry = { arguments: args, autoDelete: true, effectivePolicy: { "max-length": 1 } };
    const lab = await drillLab({ queues: [{ ...ORDERS, entry }], definitions: [DEFINITIONS] });
    const made = madeBrokers(lab);
    const result = await lab.drill();
    expect(result.definitions).toEqual({ exchanges: 1, bindings: 1, refused: [] });
    expect(made[0]?.declared.get("orders")).toMatchObject({
      autoDelete: false,
      arguments: { "x-queue-type": "classic", "x-queue-mode": "lazy" },
    });
    expect(made[0]?.changes).toEqual([
      "queue orders",
      "exchange orders",
      "binding orders orders",
      "publish orders fanout",
    ]);
  });

  it.each([
    { tags: [], userIds: "dropped" },
    { tags: ["administrator", "impersonator"], userIds: "kept" },
  ])("leaves out what would not come back: user ids are $userIds", async ({ tags, userIds }) => {
    const properties = encodeProperties({
      priority: 5,
      expiration: Buffer.from("1"),
      userId: Buffer.from("alice"),
    });
    const records = messages(2).map((record) => ({ ...record, properties }));
    const lab = await drillLab({
      queues: [
        { name: "c", records },
        { name: "q", type: "quorum", records },
      ],
    });
    lab.tags = tags;
    const made = madeBrokers(lab);
    const result = await lab.drill();
    expect(summary(result)).toEqual(["c proven 2 of 2", "q proven 2 of 2"]);
    expect(result.userIds).toBe(userIds);
    const user = userIds === "kept" ? { userId: Buffer.from("alice") } : {};
    expect(publishedBy(made[0], "c")).toEqual(encodeProperties({ priority: 5, ...user }));
    expect(publishedBy(made[0], "q")).toEqual(encodeProperties({ ...user }));
  });

  it("keeps to the queues selected, and names those that were never read", async () => {
    const skipped = { code: "x", message: "it was exclusive", hint: null };
    const lab = await drillLab({
      queues: [
        ORDERS,
        { name: "other", records: messages(3) },
        { name: "mine", records: [], entry: { outcome: "skipped", skipped } },
      ],
    });
    const result = await lab.drill({ selects: ({ name }) => name !== "other" });
    expect(summary(result)).toEqual(["orders proven 30 of 30"]);
    expect(result.left).toEqual([{ queue: { vhost: "/", name: "mine" }, reason: skipped }]);
  });

  it("makes nothing when there is nothing to prove", async () => {
    const skipped = { code: "x", message: "it was exclusive", hint: null };
    const lab = await drillLab({
      queues: [{ name: "mine", records: [], entry: { outcome: "skipped", skipped } }],
    });
    expect(await lab.drill()).toMatchObject({ queues: [], left: [{}], broker: "" });
    expect(lab.calls).toEqual(["list", "mayImpersonate"]);
  });
});

describe("what a drill finds", () => {
  it.each([
    ["a message that is missing", (all: MemoryBroker) => queueOf(all).splice(3, 1), "body", 3],
    ["the last one missing", (all: MemoryBroker) => queueOf(all).pop(), "missing", 29],
    ["one too many", (all: MemoryBroker) => queueOf(all).push(messageAt(all, 0)), "extra", 30],
    [
      "another body",
      (all: MemoryBroker) => queueOf(all).splice(4, 1, { ...messageAt(all, 4), body: Buffer.from("x") }),
      "body",
      4,
    ],
  ])("%s", async (_, change, part, sequence) => {
    const lab = await drillLab({ queues: [ORDERS, { name: "sound", records: messages(3) }] });
    const result = await lab.drill({}, undefined, readingAfter(lab, "orders", change));
    expect(result.failure).toMatchObject({ code: "DRILL_DIFFERS" });
    expect(result.queues).toMatchObject([
      {
        outcome: "differs",
        compared: sequence,
        difference: { sequence, part },
        failure: { message: expect.stringContaining("queue orders in virtual host /") as string },
      },
      { outcome: "proven" },
    ]);
    expect(lab.vhosts.size).toBe(0);
  });

  it("a damaged volume, and proves the other queues", async () => {
    const lab = await drillLab({ queues: [ORDERS, { name: "sound", records: messages(3) }] });
    const damaged = lab.manifest.queues[0]?.segments[1];
    const key = `backups/${lab.manifest.id}/${lab.manifest.volumes[(damaged?.volume ?? 1) - 1]?.name}`;
    flip(lab, key, (damaged?.offset ?? 0) + 20);
    const result = await lab.drill();
    expect(result.failure).toMatchObject({ code: "ARCHIVE_DAMAGED" });
    expect(result.queues.map(({ outcome }) => outcome)).toEqual(["damaged", "proven"]);
    expect(lab.vhosts.size).toBe(0);
  });

  it("a damaged index: what was fingerprinted can no longer be told", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    flip(
      lab,
      `backups/${lab.manifest.id}/index.tar.zst`,
      (lab.manifest.queues[0]?.index[0]?.offset ?? 0) + 20,
    );
    const result = await lab.drill();
    expect(result.queues).toMatchObject([{ outcome: "damaged", failure: { code: "ARCHIVE_DAMAGED" } }]);
  });

  it("a missing volume before anything is made", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    lab.store.objects.delete(`backups/${lab.manifest.id}/${lab.manifest.volumes[0]?.name}`);
    await expect(lab.drill()).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
    expect(lab.calls).toEqual([]);
  });
});

describe("what the broker will not have", () => {
  const refusal = (): never => {
    throw new BackupError("RESTORE_REFUSED", "not here");
  };

  it("a queue of a type it does not know is not drilled, the others are", async () => {
    const lab = await drillLab({
      queues: [{ name: "s", type: "stream", records: messages(3) }, ORDERS],
      definitions: [DEFINITIONS],
    });
    lab.onMade = (broker) => (broker.onDeclare = (what) => what === "queue s" && refusal());
    const result = await lab.drill();
    expect(result).toMatchObject({ failure: null, definitions: { exchanges: 1, bindings: 1 } });
    expect(summary(result)).toEqual(["s not-drilled 0 of 3", "orders proven 30 of 30"]);
  });

  it("an exchange of a plugin costs the connection, and what hangs on it is left out", async () => {
    const lab = await drillLab({ queues: [ORDERS], definitions: [DEFINITIONS] });
    const made = madeBrokers(lab, (what) => {
      if (what === "exchange orders") throw new BackupError("BROKER_LOST", "503 unknown exchange type");
    });
    const result = await lab.drill();
    expect(summary(result)).toEqual(["orders proven 30 of 30"]);
    expect(result.definitions).toEqual({
      exchanges: 0,
      bindings: 0,
      refused: [{ vhost: "/", what: "exchange orders", why: "503 unknown exchange type" }],
    });
    expect(made[0]?.changes).toEqual(["queue orders", "publish orders fanout"]);
  });

  it.each([{ "max-length": 29 }, { "message-ttl": 5000 }, { expires: 5000 }])(
    "a queue that an operator policy binds by %o is not drilled",
    async (effectivePolicy) => {
      const lab = await drillLab({ queues: [ORDERS] });
      Object.assign(lab.facts, { effectivePolicy });
      const result = await lab.drill();
      expect(result.failure).toBeNull();
      expect(result.queues).toMatchObject([{ outcome: "not-drilled", failure: { code: "RESTORE_REFUSED" } }]);
    },
  );

  it("a queue that cannot be read back is not drilled", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    Object.assign(lab.facts, { state: "down" });
    const result = await lab.drill();
    expect(result).toMatchObject({ failure: null, queues: [{ outcome: "not-drilled", compared: 0 }] });
    expect(result.queues[0]?.failure?.message).toMatch(/could not be read back: the broker says it is down/);
  });

  it("a broker that is lost is why nothing was proven", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    lab.onMade = (broker) =>
      broker.faults.push({
        queue: "orders",
        stored: 7,
        confirmed: 3,
        happens: () => new BackupError("BROKER_LOST", "gone"),
      });
    const result = await lab.drill();
    expect(result.failure).toMatchObject({ code: "BROKER_LOST" });
    expect(lab.vhosts.size).toBe(0);
  });

  it("a queue named that the backup does not hold is refused before anything is made", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    const named = [{ vhost: null, name: "nothing" }];
    await expect(lab.drill({ named })).rejects.toMatchObject({ code: "RESTORE_REFUSED" });
    expect(lab.calls).toEqual([]);
  });
});

describe("the scratch", () => {
  it("is removed when the drill is interrupted before it begins", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    const interruption = new AbortController();
    lab.onMade = () => interruption.abort(new Error("enough"));
    await expect(lab.drill({}, interruption.signal)).rejects.toMatchObject({ code: "INTERRUPTED" });
    expect(lab.vhosts.size).toBe(0);
  });

  it.each(["published", "read"])(
    "is removed when the drill is interrupted while messages are %s",
    async (when) => {
      const lab = await drillLab({ queues: [ORDERS] });
      const interruption = new AbortController();
      const interrupt = (): void => interruption.abort(new Error("enough"));
      lab.onMade = (broker) => (broker.onPublish = when === "published" ? interrupt : () => undefined);
      const more = when === "read" ? readingAfter(lab, "orders", interrupt) : {};
      const result = await lab.drill({}, interruption.signal, more);
      expect(result).toMatchObject({
        failure: { code: "INTERRUPTED" },
        queues: [{ outcome: "interrupted" }],
      });
      expect(lab.vhosts.size).toBe(0);
    },
  );

  it.each([
    { failed: "create", code: "MANAGEMENT_UNREACHABLE", removed: true },
    { failed: "create", code: "LOGIN_REFUSED", removed: false },
    { failed: "permit", code: "MANAGEMENT_REFUSED", removed: true },
  ] as const)("after $code of $failed is removed if it may have been made: $removed", async (one) => {
    const lab = await drillLab({ queues: [ORDERS] });
    lab.onCall = (call) => {
      if (call.startsWith(one.failed)) throw new BackupError(one.code, "planted");
    };
    await expect(lab.drill()).rejects.toMatchObject({ code: one.code });
    expect(lab.calls.includes(`remove ${SCRATCH}`)).toBe(one.removed);
    expect(lab.vhosts.size).toBe(0);
  });

  it("is waited for where it is not known at once", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    let asked = 0;
    const result = await lab.drill({}, undefined, {
      openWriter: async (...request) => {
        if (asked++ < 3) throw new BackupError("VHOST_MISSING", "not yet");
        return lab.deps.openWriter(...request);
      },
    });
    expect(summary(result)).toEqual(["orders proven 30 of 30"]);
  });

  it("that never comes to be is an error, and removed", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    const openWriter = async (): Promise<never> => {
      throw new BackupError("VHOST_MISSING", "no");
    };
    await expect(lab.drill({}, undefined, { openWriter })).rejects.toMatchObject({ code: "VHOST_MISSING" });
    expect(lab.vhosts.size).toBe(0);
  });

  it("is tried to be removed again, and named when that does not help", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    let failures = 2;
    lab.onCall = (call) => {
      if (call.startsWith("remove") && failures-- > 0) throw new BackupError("MANAGEMENT_REFUSED", "busy");
    };
    expect(await lab.drill()).toMatchObject({ notRemoved: [] });
    failures = Number.POSITIVE_INFINITY;
    const result = await lab.drill();
    expect(result).toMatchObject({ failure: null, notRemoved: [{ name: SCRATCH, why: "busy" }] });
    expect(lab.events.at(-1)).toEqual({ kind: "scratch-left", name: SCRATCH, why: "busy" });
  });

  it("of drills that were killed is swept, and nothing else", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    const long = new Date(NOW.getTime() - 24 * 3_600_000);
    const left = {
      dead: scratchDescription(NOW, HERE),
      mine: scratchDescription(long, { ...HERE, pid: 1 }),
      elsewhere: scratchDescription(NOW, THERE),
      overdue: scratchDescription(long, THERE),
      busy: scratchDescription(long, THERE),
      foreign: "something of somebody",
    };
    for (const [name, description] of Object.entries(left))
      lab.marked.set(`mqbackup.drill.${name}`, description);
    lab.inUse.add("mqbackup.drill.busy").add("mqbackup.drill.mine");
    const result = await lab.drill();
    expect(result.swept).toEqual(["mqbackup.drill.dead", "mqbackup.drill.overdue"]);
    expect([...lab.marked.keys()].map((name) => name.replace("mqbackup.drill.", ""))).toEqual([
      "mine",
      "elsewhere",
      "busy",
      "foreign",
    ]);
  });

  it("of a drill that was killed does not keep the next one from proving", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    lab.marked.set("mqbackup.drill.dead", scratchDescription(NOW, HERE));
    lab.onCall = (call) => {
      if (call === "remove mqbackup.drill.dead") throw new BackupError("MANAGEMENT_REFUSED", "protected");
    };
    const result = await lab.drill();
    expect(result).toMatchObject({
      swept: [],
      notRemoved: [{ name: "mqbackup.drill.dead", why: "protected" }],
    });
    expect(summary(result)).toEqual(["orders proven 30 of 30"]);
  });

  it("needs a management API, and says so", async () => {
    const lab = await drillLab({ queues: [ORDERS] });
    lab.onCall = () => {
      throw new BackupError("MANAGEMENT_UNREACHABLE", "refused", { hint: "do without" });
    };
    await expect(lab.drill()).rejects.toMatchObject({
      code: "MANAGEMENT_UNREACHABLE",
      hint: expect.stringContaining("--management-url") as string,
    });
  });
});

function summary({ queues }: DrillResult): string[] {
  return queues.map(
    ({ queue, outcome, compared, messages: of }) => `${queue.name} ${outcome} ${compared} of ${of}`,
  );
}

function addProduction(lab: DrillLab): MemoryBroker {
  const broker = new MemoryBroker();
  broker.add("orders");
  lab.vhosts.set("/", broker);
  return broker;
}

/** Those made from now on; they can be looked at when they are gone. */
function madeBrokers(lab: DrillLab, onDeclare: (what: string) => void = () => undefined): MemoryBroker[] {
  const made: MemoryBroker[] = [];
  lab.onMade = (broker) => {
    broker.onDeclare = onDeclare;
    made.push(broker);
  };
  return made;
}

function publishedBy(broker: MemoryBroker | undefined, name: string): Buffer {
  return Buffer.from(broker?.queues.get(name)?.messages[0]?.properties ?? []);
}

function readingAfter(
  lab: DrillLab,
  name: string,
  change: (broker: MemoryBroker) => unknown,
): { readonly reader: DrillLab["deps"]["reader"] } {
  return {
    reader: {
      open: async (queue, ...more) => {
        const broker = lab.vhosts.get(queue.vhost);
        if (queue.name === name && broker) change(broker);
        return lab.deps.reader.open(queue, ...more);
      },
    },
  };
}

function queueOf(broker: MemoryBroker) {
  return broker.queues.get("orders")?.messages ?? [];
}

function messageAt(broker: MemoryBroker, index: number) {
  const found = queueOf(broker)[index];
  if (!found) throw new Error(`no message ${index}`);
  return found;
}

function flip(lab: DrillLab, key: string, at: number): void {
  const kept = lab.store.objects.get(key);
  if (!kept) throw new Error(`no ${key}`);
  const bytes = Buffer.from(kept.bytes);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
  lab.store.objects.set(key, { ...kept, bytes });
}
