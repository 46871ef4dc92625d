import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { BackupOutline } from "../domain/backup-outline.ts";
import type { ManifestFrame, QueueOutcome } from "../domain/manifest.ts";
import { checkIds } from "./manifest-checks.ts";
import { frameSchema } from "./manifest-schema.ts";
import { storedSum, TAIL_BYTES } from "./sealed-document.ts";

/** Where the queues begin: everything before them is at most so long. */
const QUEUES = Buffer.from('\n  "queues": [');
const MOST_HEAD_BYTES = 64 * 1024;

/** Where the measures begin, the last member but the checksum. */
const MEASURES = Buffer.from('\n  "measures": {');

/** Held back until more comes: room for the measures, and for the few lines that are looked at together. */
const HELD_BYTES = 16 * 1024;

/** Less than this is not looked at before the end: most manifests are looked at once. */
const LEAST_BYTES = 256 * 1024;

/** The first two lines of a queue, and a later one. Deeper and other members of these names have another indentation. */
const ORDINAL = '\n      "ordinal": ';
const VHOST = '      "vhost": ';
const OUTCOME = '\n      "outcome": "';

const OUTCOMES: readonly QueueOutcome[] = ["complete", "partial", "skipped"];

/**
 * Finds in the bytes of a manifest what a listing tells, without making objects of all the rest: memory is the same for a manifest of
 * ten queues and of a hundred thousand. It goes by what the format says of every document: one member a line, two spaces a level.
 */
export class OutlineScanner {
  readonly #hash = createHash("sha256");
  #held: Buffer = Buffer.alloc(0);
  #head: string | null = null;
  #doubtful = false;
  /** As they are written: a byte for each character. */
  readonly #vhosts = new Set<string>();
  /** The line of the virtual host that was met last. */
  #vhostLine = "";
  readonly #queues: Record<QueueOutcome, number> = { complete: 0, partial: 0, skipped: 0 };
  /** A queue began, and its outcome is still to come. */
  #within = false;

  add(part: Uint8Array): void {
    if (this.#doubtful) return;
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (this.#held.length > LEAST_BYTES) this.#settle(this.#held.length - HELD_BYTES);
  }

  /** null: this is no manifest as it should be, or not surely; `decodeManifest` tells what is wrong with it. */
  finish(): BackupOutline | null {
    const tail = this.#held;
    const sum = storedSum(tail);
    this.#settle(tail.length - TAIL_BYTES);
    if (sum === null || this.#doubtful || this.#within || this.#hash.digest("hex") !== sum) return null;
    const frame = frameOf(this.#head, tail);
    if (frame === null) return null;
    const vhosts = [...this.#vhosts].map((raw) => String(JSON.parse(Buffer.from(raw, "latin1").toString())));
    return { ...frame, vhosts: vhosts.toSorted(), queues: { ...this.#queues } };
  }

  /** No more is needed of the first so many bytes held. */
  #settle(end: number): void {
    if (end <= 0 || this.#doubtful) return;
    const at = this.#head === null ? this.#readHead() : 0;
    if (this.#head === null) return;
    this.#scan(this.#held.toString("latin1"), at, end);
    this.#hash.update(this.#held.subarray(0, end));
    this.#held = this.#held.subarray(end);
  }

  #readHead(): number {
    const at = this.#held.subarray(0, MOST_HEAD_BYTES).indexOf(QUEUES);
    if (at >= 0) this.#head = this.#held.toString("utf8", 0, at);
    else this.#doubtful = this.#held.length > MOST_HEAD_BYTES;
    return Math.max(at, 0);
  }

  /** Looks at what begins within [from, end) of what is held. */
  #scan(text: string, from: number, end: number): void {
    for (let at = from; ;) {
      const wanted = this.#within ? OUTCOME : ORDINAL;
      at = text.indexOf(wanted, at);
      if (at < 0 || at >= end) return;
      at += wanted.length;
      if (this.#within) this.#readOutcome(text, at);
      else this.#readVhost(text, text.indexOf("\n", at) + 1);
      this.#within = !this.#within;
    }
  }

  #readVhost(text: string, line: number): void {
    if (this.#vhostLine !== "" && text.startsWith(this.#vhostLine, line)) return;
    const end = text.indexOf("\n", line) + 1;
    const found = text.slice(line, end);
    if (line > 0 && found.startsWith(VHOST) && found.endsWith('",\n')) {
      this.#vhostLine = found;
      this.#vhosts.add(found.slice(VHOST.length, -2));
    } else {
      this.#doubtful = true;
    }
  }

  #readOutcome(text: string, at: number): void {
    const outcome = OUTCOMES.find((each) => text.startsWith(`${each}"`, at));
    if (outcome === undefined) this.#doubtful = true;
    else this.#queues[outcome] += 1;
  }
}

function frameOf(head: string | null, tail: Buffer): ManifestFrame | null {
  const measures = tail.lastIndexOf(MEASURES);
  if (head === null || measures < 0) return null;
  try {
    const before: unknown = JSON.parse(`${head.replace(/,$/, "")}}`);
    const after: unknown = JSON.parse(`{${tail.toString("utf8", measures)}`);
    const parsed = frameSchema.safeParse({ ...asObject(before), ...asObject(after) });
    return parsed.success && checkIds(parsed.data) === null ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
