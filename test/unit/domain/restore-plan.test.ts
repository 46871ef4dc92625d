import { describe, expect, it } from "vitest";
import type { Manifest, QueueEntry } from "../../../src/domain/manifest.ts";
import { MessageChoice } from "../../../src/domain/message-choice.ts";
import { parseQueueMapping } from "../../../src/domain/queue-mapping.ts";
import type { QueueInfo } from "../../../src/domain/queue.ts";
import type { RestoreJournal } from "../../../src/domain/restore-journal.ts";
import type { DestinationState } from "../../../src/domain/destination-state.ts";
import { planRestore, type RestorePlan } from "../../../src/domain/restore-plan.ts";
import type { RestoreRequest } from "../../../src/domain/restore-request.ts";
import { restoreTargets } from "../../../src/domain/restore-targets.ts";
import { ALL_MESSAGES } from "../../../src/domain/sequence-range.ts";

describe("restore plan", () => {
  it("restores into an empty queue that exists, declaring nothing", () => {
    const { queues, refusals } = plan([queue("q")], {}, [there({})]);
    expect(refusals).toEqual([]);
    expect(queues).toMatchObject([
      {
        destination: { vhost: "/", name: "q" },
        declare: null,
        initial: 0,
        from: 0,
        messages: 100,
        route: "fanout",
      },
    ]);
  });

  it("declares a missing queue the way it was", () => {
    const source = queue("q", { type: "quorum", durable: true, arguments: { "x-delivery-limit": 5 } });
    const { queues, refusals } = plan([source], {}, [MISSING]);
    expect(refusals).toEqual([]);
    expect(queues[0]?.declare).toEqual({
      vhost: "/",
      name: "q",
      durable: true,
      autoDelete: false,
      arguments: { "x-queue-type": "quorum", "x-delivery-limit": 5 },
    });
  });

  it("says the type of a classic queue, whatever the virtual host's default is", () => {
    const [planned] = plan([queue("q")], {}, [MISSING]).queues;
    expect(planned?.declare?.arguments).toEqual({ "x-queue-type": "classic" });
  });

  it("keeps the arguments of streams", () => {
    const source = queue("s", { type: "stream", arguments: { "x-queue-type": "stream", "x-max-age": "7D" } });
    const [planned] = plan([source], {}, [MISSING]).queues;
    expect(planned?.declare?.arguments).toEqual({ "x-queue-type": "stream", "x-max-age": "7D" });
  });

  it.each([
    ["a missing queue with --definitions none", {}, { definitions: "none" }, MISSING, "queue-missing"],
    ["a missing queue nobody knows how to declare", { durable: null }, {}, MISSING, "definition-unknown"],
    ["a missing queue of unknown type", { type: "unknown" }, {}, MISSING, "definition-unknown"],
    ["a queue that holds messages", {}, {}, there({ ready: 1 }), "not-empty"],
    ["a queue of another type", {}, {}, there({}, { type: "quorum" }), "type-change"],
    ["a limit lower than the messages", {}, {}, there({}, { arguments: { "x-max-length": 99 } }), "overflow"],
    ["a limit of a policy", {}, {}, there({}, { effectivePolicy: { "max-length": 99 } }), "overflow"],
    ["a limit of bytes", {}, {}, there({}, { arguments: { "x-max-length-bytes": 999 } }), "overflow"],
    ["its own limit", { arguments: { "x-max-length": 99 } }, {}, MISSING, "overflow"],
    [
      "a limit that what is there already uses up",
      {},
      { append: true },
      there({ ready: 50 }, { arguments: { "x-max-length": 149 } }),
      "overflow",
    ],
  ] as const)("refuses %s", (_, source, request, state, code) => {
    expect(codes(plan([queue("q", source)], request, [state]))).toEqual([code]);
  });

  it.each([
    ["append", { append: true }, there({ ready: 7 })],
    ["type-change", { accept: new Set(["type-change"]) }, there({}, { type: "quorum" })],
    ["overflow", { accept: new Set(["overflow"]) }, there({}, { arguments: { "x-max-length": 1 } })],
    [
      "a limit that is just enough",
      {},
      there({}, { arguments: { "x-max-length": 100, "x-max-length-bytes": 1000 } }),
    ],
  ] as const)("%s lets it pass", (_, request, state) => {
    expect(codes(plan([queue("q")], request, [state]))).toEqual([]);
  });

  it.each([
    ["consumers", there({ consumers: 2 }), /^2 consumers are attached/],
    [
      "a message TTL",
      there({}, { effectivePolicy: { "message-ttl": 60_000 } }),
      /drops messages after 60000 ms/,
    ],
    ["an expiry", there({}, { arguments: { "x-expires": 1000 } }), /deleted after 1000 ms without use/],
    [
      "another argument",
      there({}, { arguments: { "x-max-priority": 5 } }),
      /x-max-priority is 5, in the backup not set/,
    ],
    ["auto-delete", there({}, { autoDelete: true }), /deleted when its last consumer leaves/],
    ["no management API", { ...there({}), info: null }, /not known without the management API/],
  ] as const)("notes %s", (_, state, note) => {
    const { queues, refusals } = plan([queue("q")], {}, [state]);
    expect(refusals).toEqual([]);
    expect(queues[0]?.notes).toEqual([expect.stringMatching(note)]);
  });

  it("notes what the backup lacks", () => {
    const gaps = [{ code: "held-too-long", message: "held too long", messages: 5 }];
    const [planned] = plan([queue("q", { gaps })], {}, [there({})]).queues;
    expect(planned?.notes).toEqual(["the backup lacks 5 messages of it: held too long"]);
  });

  it("maps names and the virtual host", () => {
    const request = { mappings: [parseQueueMapping("orders.*=old.*")], toVhost: "spare" };
    const { queues } = plan([queue("orders.eu"), queue("q")], request, [MISSING, MISSING]);
    expect(queues.map(({ destination }) => destination)).toEqual([
      { vhost: "spare", name: "old.eu" },
      { vhost: "spare", name: "q" },
    ]);
  });

  it("refuses a mapping that matches nothing selected", () => {
    const request = { mappings: [parseQueueMapping("ordrs=old")] };
    expect(codes(plan([queue("orders")], request, [there({})]))).toEqual(["mapping-unused"]);
  });

  it("refuses to put two queues into one, unless appended, and then declares it once", () => {
    const request = { mappings: [parseQueueMapping("*=all")] };
    const both = [queue("a"), queue("b")];
    expect(codes(plan(both, request, [MISSING, MISSING]))).toEqual(["same-destination"]);
    const { queues, refusals } = plan(both, { ...request, append: true }, [MISSING, MISSING]);
    expect(refusals).toEqual([]);
    expect(queues.map(({ declare }) => declare?.name)).toEqual(["all", undefined]);
  });

  it("leaves out queues that were not read, and refuses when they were asked for by name", () => {
    const skipped = { code: "delivery-limit", message: "every reading costs a delivery", hint: null };
    const both = [queue("a"), queue("b", { outcome: "skipped", skipped })];
    const left = plan(both, {}, [there({})]);
    expect(left.refusals).toEqual([]);
    expect(left.left).toEqual([{ queue: { vhost: "/", name: "b" }, reason: skipped }]);
    const named = plan(both, { named: [{ vhost: null, name: "b" }] }, [there({})]);
    expect(named.refusals).toMatchObject([
      { code: "queue-skipped", message: expect.stringContaining("every reading costs") as string },
    ]);
    expect(codes(plan(both, { named: [{ vhost: null, name: "c" }] }, [there({})]))).toEqual([
      "queue-missing",
    ]);
    expect(codes(plan(both, { named: [{ vhost: "other", name: "a" }] }, [there({})]))).toEqual([
      "queue-missing",
    ]);
  });

  it("throws when nothing is selected", () => {
    expect(() => plan([queue("q")], { selects: () => false }, [])).toThrow(
      expect.objectContaining({ code: "NO_QUEUE_SELECTED" }),
    );
  });

  it("goes on where counting says", () => {
    const state = {
      ...there({ ready: 65 }),
      journal: journal({ confirmed: 40, limit: 90, initial: 5, declared: true }),
    };
    const { queues, refusals } = plan([queue("q")], { resume: true }, [state]);
    expect(refusals).toEqual([]);
    expect(queues).toMatchObject([
      { from: 60, initial: 5, declare: null, declaredBefore: true, toProve: null },
    ]);
    expect(queues[0]?.notes).toEqual(["goes on after message 60"]);
  });

  it("wants a proof where counting is not enough, refuses where nothing is, and goes on from the confirmed if accepted", () => {
    const doubtful = {
      ...there({ ready: 60 }),
      journal: journal({ confirmed: 40, limit: 90, expiring: true }),
    };
    expect(plan([queue("q")], { resume: true }, [doubtful]).queues).toMatchObject([
      { from: 60, toProve: { candidate: 60 } },
    ]);
    const hopeless = {
      ...there({ ready: 60, consumers: 1 }),
      journal: journal({ confirmed: 40, limit: 90 }),
    };
    expect(codes(plan([queue("q")], { resume: true }, [hopeless]))).toEqual(["resume-unknown"]);
    const accepted = plan([queue("q")], { resume: true, accept: new Set(["duplicates"]) }, [hopeless]);
    expect(accepted.refusals).toEqual([]);
    expect(accepted.queues).toMatchObject([{ from: 40, duplicates: 50, toProve: null }]);
  });

  it("resumes only what the journal counts: the same selection of messages", () => {
    const where = { filter: { text: "true" }, range: { from: 3, to: null } };
    const selection = "--from-seq 3 --where 'true'";
    const state = (more: Partial<RestoreJournal>): DestinationState => ({
      ...there({ ready: 20 }),
      journal: journal({ confirmed: 20, limit: 30, ...more }),
    });
    const other = plan([queue("q")], { resume: true }, [state({ selection })]);
    expect(other.refusals).toMatchObject([
      {
        code: "other-selection",
        message: expect.stringContaining(
          `was run with ${selection}, this one is with no selection of messages`,
        ) as string,
      },
    ]);
    expect(codes(plan([queue("q")], { resume: true, ...where }, [state({})]))).toEqual(["other-selection"]);
    const same = plan([queue("q")], { resume: true, ...where }, [state({ selection })]);
    expect(same).toMatchObject({ refusals: [], queues: [{ from: 20 }] });
  });

  it("counts and weighs what is selected, not all the backup holds", () => {
    const chosen = restoreTargets(manifest([queue("q")]), asked({}));
    const choice = new MessageChoice(100);
    for (const sequence of [4, 90]) choice.add(sequence, 7);
    const targets = chosen.targets.map((target) => ({ ...target, choice, messages: 2, bodyBytes: 14 }));
    const limits = (args: Readonly<Record<string, number>>): RestorePlan =>
      planRestore({ ...chosen, targets }, [there({}, { arguments: args })], asked({}));
    const fitting = limits({ "x-max-length": 2, "x-max-length-bytes": 14 });
    expect(fitting.refusals).toEqual([]);
    expect(fitting.queues[0]?.notes).toContain("2 of 100 messages are selected");
    expect(codes(limits({ "x-max-length": 1 }))).toEqual(["overflow"]);
    expect(codes(limits({ "x-max-length-bytes": 13 }))).toEqual(["overflow"]);
  });

  it("does not resume what it has no journal of", () => {
    expect(plan([queue("q")], { resume: true }, [there({ ready: 5 })]).refusals).toMatchObject([
      { code: "not-empty", hint: expect.stringContaining("--state-dir") as string },
    ]);
    const { queues } = plan([queue("q")], { resume: true }, [there({})]);
    expect(queues).toMatchObject([{ from: 0, initial: 0 }]);
  });

  it("says that a broken-off restore could be gone on with", () => {
    const state = { ...there({ ready: 60 }), journal: journal({ confirmed: 40, limit: 90 }) };
    const { refusals } = plan([queue("q")], {}, [state]);
    expect(refusals).toMatchObject([
      { code: "not-empty", hint: expect.stringContaining("--resume") as string },
    ]);
  });
});

function plan(
  queues: readonly QueueEntry[],
  request: Partial<RestoreRequest>,
  states: readonly DestinationState[],
): RestorePlan {
  const wanted = asked(request);
  return planRestore(restoreTargets(manifest(queues), wanted), states, wanted);
}

function asked(request: Partial<RestoreRequest>): RestoreRequest {
  return {
    selects: () => true,
    range: ALL_MESSAGES,
    filter: null,
    named: [],
    mappings: [],
    toVhost: null,
    route: "fanout",
    definitions: "missing",
    append: false,
    resume: false,
    expiration: "keep",
    userId: "keep",
    toOrigin: false,
    deathHeader: "keep",
    accept: new Set(),
    ...request,
  };
}

function codes({ refusals }: RestorePlan): string[] {
  return refusals.map(({ code }) => code);
}

const MISSING: DestinationState = { found: null, info: null, journal: null };

function there(
  found: { readonly ready?: number; readonly consumers?: number },
  info: Partial<QueueInfo> = {},
): DestinationState {
  return {
    found: { ready: 0, consumers: 0, ...found },
    journal: null,
    info: {
      vhost: "/",
      name: "q",
      type: "classic",
      durable: true,
      autoDelete: false,
      exclusive: false,
      arguments: {},
      policy: null,
      operatorPolicy: null,
      effectivePolicy: {},
      deliveryLimit: null,
      delayedRetry: null,
      counts: { ready: 0, unacknowledged: 0 },
      readyBytes: 0,
      outOfReach: null,
      consumers: 0,
      exclusiveConsumer: false,
      state: "running",
      ...info,
    },
  };
}

function journal(more: Partial<RestoreJournal>): RestoreJournal {
  return {
    backup: "20261121-193200F",
    broker: "b",
    source: { vhost: "/", name: "q" },
    destination: { vhost: "/", name: "q" },
    route: "fanout",
    selection: "",
    total: 100,
    initial: 0,
    confirmed: 0,
    limit: 0,
    transient: false,
    expiring: false,
    refusedAt: null,
    declared: false,
    finished: false,
    ...more,
  };
}

function queue(name: string, more: Partial<QueueEntry> = {}): QueueEntry {
  return {
    vhost: "/",
    name,
    ordinal: 1,
    type: "classic",
    durable: true,
    autoDelete: false,
    arguments: {},
    policy: null,
    effectivePolicy: {},
    outcome: "complete",
    skipped: null,
    strategy: "consume, cancel and nack",
    readyAtCut: 100,
    before: { ready: 100, unacknowledged: 0 },
    after: { ready: 100, unacknowledged: 0 },
    cutAt: null,
    readEndAt: null,
    releasedAt: null,
    holdMs: 1,
    messages: 100,
    bodyBytes: 1000,
    offsets: null,
    content: [
      { kind: "new", first: 0, count: 60 },
      { kind: "kept", backup: "20261120-193200F", ordinal: 1, first: 3, count: 40 },
    ],
    segments: [],
    index: [],
    gaps: [],
    notes: [],
    ...more,
  };
}

function manifest(queues: readonly QueueEntry[]): Manifest {
  const file = { name: "index.tar.zst", bytes: 0, sha256: "" };
  return {
    format: 1,
    tool: { name: "mqbackup", version: "0" },
    id: "20261121-193200F",
    kind: "full",
    base: null,
    set: "s",
    startedAt: "",
    finishedAt: "",
    drain: false,
    broker: { product: "RabbitMQ", version: "4.3.6", clusterName: null, url: "", management: true },
    queues,
    definitions: [],
    volumes: [],
    index: file,
    measures: {
      messages: 0,
      bodyBytes: 0,
      plainBytes: 0,
      storedBytes: 0,
      targetBytes: null,
      knownMessages: 0,
      lostMessages: 0,
      lossRate: 0,
      readMs: 0,
      shipMs: 0,
      totalMs: 0,
      longestHoldMs: 0,
    },
  };
}
