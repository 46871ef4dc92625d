import { BackupError } from "../../src/domain/errors.ts";
import type { Gap } from "../../src/domain/manifest.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import type { QueueReader } from "../../src/ports/queue-reader.ts";

export interface ReadingFault {
  /** open: refused. batch: the signal of the run fires before the second batch. settle: what was held has gone back. */
  readonly at: "open" | "gap" | "settle";
  readonly queue: string;
  readonly error?: BackupError;
}

/** Queues in memory and a reader that holds them, true to the port. `messages` is what is on the queue, held or not. */
export class HeldQueues {
  readonly messages: Map<string, MessageRecord[]>;
  /** Queues with messages held now. */
  readonly held = new Set<string>();
  readonly opened: string[] = [];
  readonly reader: QueueReader;

  constructor(
    queues: Readonly<Record<string, readonly MessageRecord[]>>,
    faults: readonly ReadingFault[] = [],
  ) {
    this.messages = new Map(Object.entries(queues).map(([name, records]) => [name, [...records]]));
    const faultAt = (at: ReadingFault["at"], queue: string) =>
      faults.find((fault) => fault.at === at && fault.queue === queue);
    this.reader = {
      describe: async () => ({ product: "RabbitMQ", version: "4.3.6", clusterName: "test" }),
      access: async () => new Map(),
      open: async ({ name }, recipe, options) => {
        options.signal?.throwIfAborted();
        this.opened.push(name);
        const refused = faultAt("open", name)?.error;
        if (refused) throw refused;
        const from = recipe.kind === "stream" && recipe.from !== "first" ? recipe.from : 0;
        const all = (this.messages.get(name) ?? []).filter(({ streamOffset = from }) => streamOffset >= from);
        const wanted = all.slice(0, options.atMost ?? all.length);
        const broken = faultAt("gap", name) !== undefined;
        const captured = broken ? wanted.slice(0, Math.floor(wanted.length / 2)) : wanted;
        const gaps: Gap[] = [];
        this.held.add(name);
        const cursor = {
          readyAtCut: recipe.kind === "stream" ? null : wanted.length,
          consumersAtCut: recipe.kind === "stream" ? null : 0,
          leftOver: all.length - wanted.length,
          cutAt: new Date(),
          unprotected: false,
          gaps,
          notes: [],
          readyAfter: null,
          releasedAt: null as Date | null,
          stop: () => undefined,
          settle: async (outcome: "requeue" | "consume") => {
            if (outcome === "consume") {
              if (faultAt("settle", name)) throw new BackupError("BROKER_LOST", `${name} went back`);
              this.messages.set(name, (this.messages.get(name) ?? []).slice(captured.length));
            }
            this.held.delete(name);
          },
          [Symbol.asyncDispose]: async () => {
            this.held.delete(name);
          },
          async *[Symbol.asyncIterator]() {
            for (let at = 0; at < captured.length; at += 7) {
              options.signal?.throwIfAborted();
              yield captured.slice(at, at + 7);
              await new Promise((resolve) => setImmediate(resolve));
            }
            if (broken) {
              gaps.push({
                code: "BROKER_LOST",
                message: "cut off",
                messages: wanted.length - captured.length,
              });
            }
          },
        };
        return cursor;
      },
    };
  }
}
