import { BackupError } from "../../src/domain/errors.ts";
import type { MessageRecord } from "../../src/domain/message.ts";
import { describeQueue, type QueueAddress } from "../../src/domain/queue.ts";
import type { QueueDeclaration } from "../../src/domain/restore-plan.ts";
import type { Route } from "../../src/domain/restore-request.ts";
import type { QueueReader } from "../../src/ports/queue-reader.ts";
import type { OutgoingMessage, QueuePublication, QueueWriter } from "../../src/ports/queue-writer.ts";

/** How publishing into a queue ends before its time. Counted from the first message that goes into the queue. */
export interface PublishFault {
  readonly queue: string;
  /** So many are stored ... */
  readonly stored: number;
  /** ... and so many of them confirmed. */
  readonly confirmed: number;
  /** Called when it happens; what it throws is what the caller gets. */
  readonly happens: () => Error;
}

export interface MemoryQueue {
  readonly messages: OutgoingMessage[];
  consumers: number;
}

/** Queues in memory with what restoring needs of a broker, and faults on order. */
export class MemoryBroker {
  readonly queues = new Map<string, MemoryQueue>();
  readonly declared = new Map<string, QueueDeclaration>();
  /** Called before anything is declared, with what `changes` will say of it; may throw. */
  onDeclare: (what: string) => void = () => undefined;
  /** Everything that changed something, in order. */
  readonly changes: string[] = [];
  faults: PublishFault[] = [];
  /** Called before messages are stored: `upTo` counts what this publication has been given. */
  onPublish: (queue: string, upTo: number) => void | Promise<void> = () => undefined;
  openPublications = 0;

  add(name: string, messages: readonly OutgoingMessage[] = []): MemoryQueue {
    const queue = { messages: [...messages], consumers: 0 };
    this.queues.set(name, queue);
    return queue;
  }

  bodies(name: string): string[] {
    return (this.queues.get(name)?.messages ?? []).map(({ body }) => Buffer.from(body).toString());
  }

  writer(): QueueWriter {
    return {
      url: "amqp://memory:5672/%2F",
      broker: { product: "RabbitMQ", version: "4.3.6", clusterName: "memory" },
      inspect: async ({ name }) => {
        const queue = this.queues.get(name);
        return queue ? { ready: queue.messages.length, consumers: queue.consumers } : null;
      },
      declareQueue: async (queue) => {
        this.#change(`queue ${queue.name}`);
        this.declared.set(queue.name, queue);
        this.add(queue.name);
      },
      declareExchange: async ({ name }) => {
        this.#change(`exchange ${name}`);
        return name !== "exists";
      },
      declareBinding: async ({ source, destination }) => {
        this.#change(`binding ${source} ${destination}`);
      },
      open: async (queue, route, options) => {
        options?.signal?.throwIfAborted();
        return this.#open(queue, route);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  reader(): Pick<QueueReader, "open"> {
    return {
      open: async ({ name }) => {
        const messages = this.queues.get(name)?.messages;
        if (!messages) throw new BackupError("QUEUE_MISSING", `no queue ${name}`);
        const records: MessageRecord[] = messages.map((message) => ({ ...message, redelivered: false }));
        return {
          readyAtCut: records.length,
          leftOver: 0,
          consumersAtCut: 0,
          cutAt: new Date(),
          unprotected: false,
          gaps: [],
          notes: [],
          releasedAt: null,
          readyAfter: records.length,
          stop: () => undefined,
          settle: async () => undefined,
          [Symbol.asyncDispose]: async () => undefined,
          async *[Symbol.asyncIterator]() {
            for (let at = 0; at < records.length; at += 7) yield records.slice(at, at + 7);
          },
        };
      },
    };
  }

  #change(what: string): void {
    this.onDeclare(what);
    this.changes.push(what);
  }

  #open(address: QueueAddress, route: Route): QueuePublication {
    const queue = this.queues.get(address.name);
    if (!queue) throw new BackupError("QUEUE_MISSING", `${describeQueue(address)} is gone`);
    this.changes.push(`publish ${address.name} ${route}`);
    this.openPublications++;
    let given = 0;
    let confirmed = 0;
    let failure: Error | null = null;
    return {
      unprotected: false,
      get confirmed() {
        return confirmed;
      },
      confirmLatency: { p50: 1, p99: 2 },
      publish: async (messages, { signal } = {}) => {
        signal?.throwIfAborted();
        if (failure) throw failure;
        await this.onPublish(address.name, given + messages.length);
        for (const message of messages) {
          given++;
          queue.messages.push({ ...message, body: Buffer.from(message.body) });
          const fault = this.#faultAt(address.name, queue.messages.length);
          if (!fault) continue;
          confirmed = Math.max(0, given - (fault.stored - fault.confirmed));
          failure = fault.happens();
          throw failure;
        }
      },
      flush: async () => {
        if (failure) throw failure;
        confirmed = given;
      },
      [Symbol.asyncDispose]: async () => {
        this.openPublications--;
      },
    };
  }

  #faultAt(queue: string, stored: number): PublishFault | null {
    const at = this.faults.findIndex((fault) => fault.queue === queue && fault.stored === stored);
    return at < 0 ? null : (this.faults.splice(at, 1)[0] ?? null);
  }
}
