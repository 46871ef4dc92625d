import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fill } from "../lab/publish.ts";
import { declareQueue, deleteQueue, untilReady } from "../lab/queues.ts";
import { takeHead } from "../lab/take-head.ts";
import { readingOf, type BenchCase } from "./cases.ts";
import { measureNode, type Measured } from "./measure.ts";
import { runBackup, runRestore, type BackupMeasured, type Subject } from "./subject.ts";
import { tarZstdBytes } from "./tarball.ts";

/** A bare process and what it said of itself: connecting and Node's own start left out. */
export interface BareMeasured extends Measured {
  readonly seconds: number;
  /** The bare reader: until the broker has everything back, too. */
  readonly givenBackSeconds?: number;
}

/** Everything measured of one case, one element a repetition. */
export interface CaseMeasured {
  readonly bench: BenchCase;
  readonly bareReader: readonly BareMeasured[];
  readonly amqplib: readonly BareMeasured[];
  readonly full: readonly BackupMeasured[];
  /** Each on a full of its own, taken before the head was consumed and new messages came. */
  readonly incremental: readonly { readonly base: BackupMeasured; readonly measured: BackupMeasured }[];
  readonly barePublisher: readonly BareMeasured[];
  readonly restore: readonly Measured[];
  /** null: not looked at. */
  readonly tarZstdBytes: number | null;
}

export interface RunOptions {
  readonly subject: Subject;
  readonly repeats: number;
  readonly restores: boolean;
  readonly progress: (text: string) => void;
}

/** Fills the queues, reads them in turn by all means, restores them in turn, and removes them. */
export async function runCase(bench: BenchCase, options: RunOptions): Promise<CaseMeasured> {
  const queues = Array.from({ length: bench.queues }, (_, i) => `bench-${i + 1}`);
  const lane = new Lane(bench, queues, options);
  await lane.declare();
  const barePublisher = [await lane.publish()];
  const repeats = bench.memoryOnly === true ? 1 : options.repeats;
  const reads = await lane.reads(repeats);
  const incremental: CaseMeasured["incremental"][number][] = [];
  const restores = options.restores && bench.memoryOnly !== true ? repeats : 0;
  const restore: Measured[] = [];
  for (let n = 0; n < restores; n += 1) {
    if (n > 0) {
      await lane.renew();
      barePublisher.push(await lane.publish());
    }
    await lane.remove();
    restore.push(await lane.restore());
  }
  if (bench.memoryOnly !== true) {
    await lane.renew();
    await lane.publish();
    for (let n = 0; n < repeats; n += 1) incremental.push(await lane.incremental(n));
  }
  await lane.remove();
  return {
    bench,
    ...reads,
    incremental,
    barePublisher,
    restore,
    tarZstdBytes: bench.memoryOnly === true ? null : await tarZstdBytes(bench),
  };
}

class Lane {
  readonly #bench: BenchCase;
  readonly #queues: readonly string[];
  readonly #options: RunOptions;
  #target = "";
  /** In each queue. */
  #ready: number;

  constructor(bench: BenchCase, queues: readonly string[], options: RunOptions) {
    this.#bench = bench;
    this.#queues = queues;
    this.#options = options;
    this.#ready = bench.messages;
  }

  async declare(): Promise<void> {
    const { vhost } = this.#options.subject;
    // Every reading of a quorum queue is a delivery, and there will be many.
    const more = this.#bench.type === "quorum" ? { "x-delivery-limit": 1000 } : {};
    for (const queue of this.#queues) await declareQueue(vhost, queue, this.#bench.type, more);
  }

  async remove(): Promise<void> {
    for (const queue of this.#queues) await deleteQueue(this.#options.subject.vhost, queue);
  }

  async renew(): Promise<void> {
    await this.remove();
    await this.declare();
  }

  async publish(): Promise<BareMeasured> {
    const { messages, bodyBytes } = this.#bench;
    this.#say("bare publisher");
    const measured = await this.#bare("bare-publisher", String(messages), String(bodyBytes), ...this.#queues);
    await this.#full();
    return measured;
  }

  async reads(repeats: number) {
    const bareReader: BareMeasured[] = [];
    const amqplib: BareMeasured[] = [];
    const full: BackupMeasured[] = [];
    // Once for nothing: what a queue gives the first time may come from elsewhere than what it was given back.
    await this.#read("bare-reader");
    for (let n = 0; n < repeats; n += 1) {
      bareReader.push(await this.#read("bare-reader"));
      full.push(await this.#backup(n));
      amqplib.push(await this.#read("amqplib-reader"));
    }
    return { bareReader, amqplib, full };
  }

  async restore(): Promise<Measured> {
    this.#say("mqbackup restore");
    const measured = await runRestore(this.#options.subject, this.#target, this.#queues.length);
    await this.#full();
    return measured;
  }

  /** A tenth of the head consumed and a hundredth new; of a stream the new ones alone. */
  async incremental(n: number): Promise<CaseMeasured["incremental"][number]> {
    const base = await this.#backup(1000 + n);
    const { subject } = this.#options;
    const { bodyBytes, messages, type } = this.#bench;
    for (const queue of this.#queues) {
      if (type !== "stream") await takeHead(subject.vhost, queue, Math.floor(this.#ready / 10));
      await fill(subject.vhost, queue, Math.ceil(messages / 100), { from: 1e6 * (n + 1), bodyBytes });
    }
    this.#ready += Math.ceil(messages / 100) - (type === "stream" ? 0 : Math.floor(this.#ready / 10));
    await this.#full();
    this.#say("mqbackup incremental");
    const measured = await runBackup(subject, "incremental", this.#target, this.#queues.length);
    await this.#full();
    return { base, measured };
  }

  async #backup(n: number): Promise<BackupMeasured> {
    const { subject } = this.#options;
    this.#target = subject.temp.join(`${path.basename(this.#bench.name).replaceAll(" ", "-")}-${n}`);
    await mkdir(this.#target);
    this.#say("mqbackup full");
    const measured = await runBackup(subject, "full", this.#target, this.#queues.length);
    await this.#full();
    return measured;
  }

  async #read(program: string): Promise<BareMeasured> {
    const { messages, type } = this.#bench;
    this.#say(program);
    const measured = await this.#bare(program, String(messages), readingOf(type), ...this.#queues);
    await this.#full();
    return measured;
  }

  async #bare(program: string, ...args: readonly string[]): Promise<BareMeasured> {
    const { vhost, temp } = this.#options.subject;
    const file = path.join(import.meta.dirname, `${program}.js`);
    const measured = await measureNode([file, vhost.url, ...args], temp);
    return { ...measured, ...(JSON.parse(measured.stdout) as Omit<BareMeasured, keyof Measured>) };
  }

  /** All messages are back, or there for the first time. */
  async #full(): Promise<void> {
    const { vhost } = this.#options.subject;
    for (const queue of this.#queues) {
      if (this.#bench.type !== "stream") {
        await untilReady(vhost, queue, this.#ready, { timeoutMs: 120_000 });
      }
    }
  }

  #say(what: string): void {
    this.#options.progress(`${this.#bench.name}: ${what}`);
  }
}
