import { Buffer } from "node:buffer";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { BackupError } from "../../domain/errors.ts";
import { inlineCodec, type SealKind } from "./inline-codec.ts";
import { MemoryPool } from "./memory-pool.ts";
import { paddedBytes } from "./tar-header.ts";
import { receiveError, toTransfer } from "./seal-job.ts";
import type { SealAnswer, SealJob } from "./seal-job.ts";
import type {
  FingerprintedSegment,
  PlainSegment,
  RawSegment,
  SealedSegment,
  SegmentCodec,
} from "../../ports/segment-codec.ts";

interface Call {
  readonly job: SealJob;
  readonly transfer: ArrayBuffer | null;
  resolve(answer: SealAnswer): void;
  reject(error: unknown): void;
}

interface SealThread {
  readonly worker: Worker;
  /** null: idle. */
  call: Call | null;
}

/** One seals half a gigabyte a second, two as much as a queue can give. */
const MOST_THREADS = 2;

/** Smaller and larger entries are opened in memory of their own. */
const LEAST_OPENED_BYTES = 64 * 1024;
const MOST_OPENED_BYTES = 16 * 1024 * 1024;

/**
 * Seals and opens on `threads` threads of their own (started when first needed), one call on each; further calls wait their turn.
 * A thread that dies rejects its call with INTERNAL and is replaced. After disposing every call rejects with INTERRUPTED.
 * Run from TypeScript sources, which threads cannot load, it works on the calling thread.
 */
export function threadedCodec(options: { readonly threads?: number; readonly level: number }): SegmentCodec {
  if (import.meta.url.endsWith(".ts")) return inlineCodec(options);
  return new ThreadedCodec(options.threads ?? Math.min(MOST_THREADS, availableParallelism()), options.level);
}

class ThreadedCodec implements SegmentCodec {
  readonly #limit: number;
  readonly #level: number;
  readonly #threads = new Set<SealThread>();
  readonly #waiting: Call[] = [];
  /** Transferred to a thread and back. */
  readonly #segments = new MemoryPool((bytes) => Buffer.allocUnsafeSlow(bytes).buffer);
  /** Shared: that spares garbage collection, and native code alone touches it; from here copying to it would be slow. */
  readonly #frames = new MemoryPool((bytes) => new SharedArrayBuffer(bytes));
  /** With builders of segments now, and nobody else. */
  readonly #lent = new WeakSet<ArrayBuffer>();
  /** With whoever had them opened. */
  readonly #opened = new WeakSet<ArrayBufferLike>();
  #closed = false;

  constructor(threads: number, level: number) {
    this.#limit = threads;
    this.#level = level;
  }

  memory(bytes: number): Uint8Array {
    const memory = this.#segments.take(bytes);
    this.#lent.add(memory);
    return new Uint8Array(memory);
  }

  async sealRecords(segment: PlainSegment): Promise<SealedSegment> {
    return this.#seal("sealRecords", segment);
  }

  async sealEntry(segment: PlainSegment): Promise<SealedSegment> {
    return this.#seal("sealEntry", segment);
  }

  async fingerprint({ padded, plainBytes }: RawSegment): Promise<FingerprintedSegment> {
    const handed = this.#handOver(padded);
    const answer = await this.#run({ kind: "fingerprint", padded: handed, plainBytes }, handed.buffer);
    if (!("padded" in answer)) throw wrongAnswer();
    this.#opened.add(answer.padded.buffer);
    return answer;
  }

  async open(frames: Uint8Array, expected: { sha256: string; plainBytes: number }): Promise<Uint8Array> {
    // The frames stay the caller's.
    const shared = this.#frames.take(roundedUp(frames.length));
    const copy = new Uint8Array(shared, 0, frames.length);
    copy.set(frames);
    const memory =
      expected.plainBytes >= LEAST_OPENED_BYTES && expected.plainBytes <= MOST_OPENED_BYTES
        ? this.#segments.take(roundedUp(paddedBytes(expected.plainBytes)))
        : null;
    const answer = await this.#run({ kind: "open", frames: copy, expected, memory }, memory);
    this.#frames.giveBack(shared);
    if ("opened" in answer) {
      if (memory !== null) this.#opened.add(answer.opened.buffer);
      return answer.opened;
    }
    throw wrongAnswer();
  }

  recycle({ buffer }: Uint8Array): void {
    if (buffer instanceof ArrayBuffer && this.#opened.delete(buffer)) this.#segments.giveBack(buffer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const call of this.#waiting.splice(0)) call.reject(closed());
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const { call } of threads) call?.reject(closed());
    await Promise.all(threads.map(async ({ worker }) => worker.terminate()));
  }

  async #seal(kind: SealKind, segment: PlainSegment): Promise<SealedSegment> {
    const padded = this.#handOver(segment.padded);
    const memory = this.#frames.take(mostFrameBytes(padded.buffer.byteLength));
    const answer = await this.#run({ kind, segment: { ...segment, padded }, memory }, padded.buffer);
    if (!("sealed" in answer)) throw wrongAnswer();
    this.#segments.giveBack(answer.plain);
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) this.#frames.giveBack(memory);
      isReleased = true;
    };
    return { ...answer.sealed, release };
  }

  #handOver(piece: Uint8Array): Uint8Array<ArrayBuffer> {
    const handed = toTransfer(piece);
    const given = piece.buffer;
    if (given instanceof ArrayBuffer && this.#lent.delete(given) && given !== handed.buffer) {
      this.#segments.giveBack(given);
    }
    return handed;
  }

  async #run(job: SealJob, transfer: ArrayBuffer | null): Promise<SealAnswer> {
    if (this.#closed) throw closed();
    const answer = await new Promise<SealAnswer>((resolve, reject) => {
      this.#waiting.push({ job, transfer, resolve, reject });
      this.#dispatch();
    });
    if ("failed" in answer) throw receiveError(answer.failed);
    return answer;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idleThread();
      if (thread === null) return;
      const call = this.#waiting.shift();
      if (call !== undefined) begin(thread, call);
    }
  }

  #idleThread(): SealThread | null {
    for (const thread of this.#threads) if (thread.call === null) return thread;
    return this.#threads.size < this.#limit ? this.#start() : null;
  }

  #start(): SealThread {
    const worker = new Worker(new URL("./seal-thread.js", import.meta.url), {
      workerData: { level: this.#level },
      env: {},
      execArgv: [],
    });
    const thread: SealThread = { worker, call: null };
    this.#threads.add(thread);
    worker.on("message", (answer: SealAnswer) => {
      end(thread)?.resolve(answer);
      this.#dispatch();
    });
    worker.unref();
    const died = (why: string, cause?: unknown) => {
      this.#threads.delete(thread);
      end(thread)?.reject(new BackupError("INTERNAL", `a sealing thread died: ${why}`, { cause }));
      this.#dispatch();
    };
    worker.on("messageerror", (error) => {
      died("its answer cannot be read", error);
      void worker.terminate();
    });
    worker.on("error", (error) => died(String(error), error));
    worker.on("exit", (status) => died(`exit status ${status}`));
    return thread;
  }
}

/** Only a thread at work keeps the process alive. */
function begin(thread: SealThread, call: Call): void {
  try {
    thread.worker.postMessage(call.job, call.transfer === null ? [] : [call.transfer]);
    thread.call = call;
    thread.worker.ref();
  } catch (error) {
    call.reject(
      new BackupError("INTERNAL", "a segment cannot be handed to a sealing thread", { cause: error }),
    );
  }
}

function end(thread: SealThread): Call | null {
  const { call } = thread;
  thread.call = null;
  thread.worker.unref();
  return call;
}

/** At least what zstd may need for the worst; a round figure, so that all segments of a run need the same. */
function mostFrameBytes(plainBytes: number): number {
  return plainBytes + Math.ceil(plainBytes / 128) + 1024;
}

/** To few different sizes, so that memory fits again. */
function roundedUp(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(bytes, 1)));
}

function wrongAnswer(): BackupError {
  return new BackupError("INTERNAL", "a sealing thread gave the wrong answer");
}

function closed(): BackupError {
  return new BackupError("INTERRUPTED", "sealing was given up");
}
