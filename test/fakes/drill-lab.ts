import { inlineCodec } from "../../src/adapters/codec/inline-codec.ts";
import { BackupError } from "../../src/domain/errors.ts";
import type { Manifest } from "../../src/domain/manifest.ts";
import type { QueueInfo } from "../../src/domain/queue.ts";
import type { ScratchHost } from "../../src/domain/scratch-host.ts";
import type { BrokerDirectory } from "../../src/ports/broker-directory.ts";
import type { QueueWriter } from "../../src/ports/queue-writer.ts";
import type { ScratchHosts } from "../../src/ports/scratch-hosts.ts";
import { createCatalog } from "../../src/repository/catalog.ts";
import { drill } from "../../src/usecases/drill.ts";
import type { DrillDeps, DrillEvent, DrillRequest, DrillResult } from "../../src/usecases/drill-types.ts";
import { MemoryBroker } from "./memory-broker.ts";
import { memoryStore, type MemoryStore } from "./memory-store.ts";
import { NOW } from "./restore-lab.ts";
import { writeBackup, type SampleBackup } from "./sample-backup.ts";

/** The calls of the scratch hosts, one after another, e.g. "create mqbackup.drill.run.1". */
export type ScratchCall = (call: string) => void;

/** A backup in memory, a broker that makes virtual hosts in memory, and `drill` between them. */
export interface DrillLab {
  readonly store: MemoryStore;
  readonly manifest: Manifest;
  /** By name; those of others too. */
  readonly vhosts: Map<string, MemoryBroker>;
  /** Descriptions of those with a drill's name and tag. */
  readonly marked: Map<string, string>;
  readonly inUse: Set<string>;
  readonly events: DrillEvent[];
  readonly calls: string[];
  /** What else the broker says of a queue. */
  readonly facts: Partial<QueueInfo>;
  /** May throw. */
  onCall: ScratchCall;
  /** Called with each virtual host when it has been made. */
  onMade: (broker: MemoryBroker, name: string) => void;
  tags: readonly string[];
  /** Of the drill's deps, to be replaced one by one. */
  readonly deps: DrillDeps;
  drill(
    request?: Partial<DrillRequest>,
    signal?: AbortSignal,
    deps?: Partial<DrillDeps>,
  ): Promise<DrillResult>;
}

export async function drillLab(...samples: readonly Omit<SampleBackup, "now">[]): Promise<DrillLab> {
  const store = memoryStore();
  const catalog = await createCatalog(store, { now: NOW, repositoryId: "r" });
  let base: SampleBackup["base"];
  for (const [at, sample] of samples.entries()) {
    const whole: SampleBackup = {
      ...sample,
      now: new Date(NOW.getTime() + at * 60_000),
      ...(base === undefined ? {} : { base }),
    };
    base = { manifest: await writeBackup(catalog, whole), sample: whole };
  }
  if (base === undefined) throw new Error("no backup to drill");
  let milliseconds = NOW.getTime() + 3_600_000;
  const events: DrillEvent[] = [];
  const facts: Partial<QueueInfo> = {};
  const vhosts = new Map<string, MemoryBroker>();
  const brokerOf = (vhost: string): MemoryBroker => {
    const broker = vhosts.get(vhost);
    if (broker) return broker;
    throw new BackupError("VHOST_MISSING", `no virtual host ${vhost}`);
  };
  const lab: Omit<DrillLab, "deps" | "drill"> = {
    store,
    manifest: base.manifest,
    vhosts,
    marked: new Map(),
    inUse: new Set(),
    events,
    calls: [],
    facts,
    onCall: () => undefined,
    onMade: () => undefined,
    tags: [],
  };
  const deps: DrillDeps = {
    store,
    codec: inlineCodec({ level: 3 }),
    scratch: scratchHosts(lab),
    directory: directory(brokerOf, facts),
    openWriter: async (vhost): Promise<QueueWriter> => brokerOf(vhost).writer(),
    reader: {
      open: async (queue, ...more) =>
        brokerOf(queue.vhost)
          .reader()
          .open(queue, ...more),
    },
    newRunId: () => "run",
    runs: {
      current: { host: "host", machine: "here", pid: 1, run: "r" },
      isGone: ({ machine, pid }) => machine === "here" && pid !== 1,
    },
    now: () => new Date((milliseconds += 50)),
    sleep: async (_ms, signal) => signal.throwIfAborted(),
    deadline: (ms) => AbortSignal.timeout(ms),
    report: (event) => events.push(event),
  };
  return Object.assign(lab, {
    deps,
    drill: async (
      request: Partial<DrillRequest> = {},
      signal: AbortSignal = new AbortController().signal,
      more: Partial<DrillDeps> = {},
    ) => drill({ ...deps, ...more }, { ...REQUEST, ...request }, signal),
  });
}

const REQUEST: DrillRequest = {
  backup: "latest",
  selects: () => true,
  named: [],
  parallel: 2,
  maxHoldMs: 60_000,
};

function scratchHosts(lab: Omit<DrillLab, "deps" | "drill">): ScratchHosts {
  const called = (call: string): void => {
    lab.calls.push(call);
    lab.onCall(call);
  };
  return {
    list: async () => {
      called("list");
      return [...lab.marked].map(([name, description]): ScratchHost => ({ name, description }));
    },
    create: async ({ name, description }) => {
      called(`create ${name}`);
      const broker = new MemoryBroker();
      lab.vhosts.set(name, broker);
      lab.marked.set(name, description);
      lab.onMade(broker, name);
    },
    permit: async (name) => called(`permit ${name}`),
    remove: async (name, { signal } = {}) => {
      signal?.throwIfAborted();
      called(`remove ${name}`);
      lab.vhosts.delete(name);
      lab.marked.delete(name);
    },
    isInUse: async (name) => {
      called(`isInUse ${name}`);
      return lab.inUse.has(name);
    },
    mayImpersonate: async () => {
      called("mayImpersonate");
      return lab.tags.includes("impersonator");
    },
  };
}

function directory(brokerOf: (vhost: string) => MemoryBroker, facts: Partial<QueueInfo>): BrokerDirectory {
  const unused = async (): Promise<never> => Promise.reject(new Error("not asked by a drill"));
  return {
    describe: unused,
    vhosts: unused,
    queues: unused,
    alarms: unused,
    memory: unused,
    definitions: unused,
    queue: async (vhost, name) => {
      const declared = brokerOf(vhost).declared.get(name);
      if (declared === undefined) return null;
      const type = declared.arguments["x-queue-type"];
      return {
        vhost,
        name,
        type: type === "quorum" || type === "stream" ? type : "classic",
        durable: declared.durable,
        autoDelete: declared.autoDelete,
        exclusive: false,
        arguments: declared.arguments,
        policy: null,
        operatorPolicy: null,
        effectivePolicy: {},
        deliveryLimit: null,
        delayedRetry: null,
        counts: { ready: 0, unacknowledged: 0 },
        readyBytes: 0,
        outOfReach: null,
        consumers: 0,
        exclusiveConsumer: null,
        state: "running",
        ...facts,
      };
    },
  };
}
