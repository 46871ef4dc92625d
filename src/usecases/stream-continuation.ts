import { ContentBuilder, heldContent } from "../domain/content-builder.ts";
import { hasCode } from "../domain/errors.ts";
import type { ContentRange, Gap, QueueEntry } from "../domain/manifest.ts";
import type { MessageRecord } from "../domain/message.ts";
import { FINGERPRINT_BYTES } from "../domain/record.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { QueueCursor } from "../ports/queue-reader.ts";
import type { BaseBackup } from "./base-backup.ts";

/** A stream read on from where its base ended. */
export interface StreamContinuation {
  readonly cursor: QueueCursor;
  /** What is new. */
  readonly batches: AsyncIterable<readonly MessageRecord[]>;
  /** What the stream still has of the base, with the offsets of its first and last message. */
  readonly kept: readonly ContentRange[];
  readonly keptBodyBytes: number;
  readonly offsets: { readonly first: number; readonly last: number };
  readonly gaps: readonly Gap[];
  readonly notes: readonly string[];
}

/** It is read from its beginning. */
type StreamAnew = Pick<StreamContinuation, "gaps" | "notes"> & { readonly cursor: null };

const ANEW: StreamAnew = { cursor: null, gaps: [], notes: [] };

const UNREADABLE =
  "the stream was read from its beginning: its retention removed messages of the base, and without a key it cannot be seen which";

export interface StreamAccess {
  open(from: "first" | number, atMost?: number): Promise<QueueCursor>;
  /** 16 bytes. */
  fingerprint(record: MessageRecord): Promise<Uint8Array>;
}

/** What the stream has before its new messages, and what it has lost. */
type Remains = Pick<StreamContinuation, "kept" | "keptBodyBytes" | "gaps" | "notes"> & {
  readonly first: number;
};

/**
 * Reads on where the base ended. The first message there is and the last of the base are compared with what the base has at their
 * offsets: a stream that was deleted and declared again is read from its beginning, as is one of which the base has nothing left.
 * Gives the gap alone where retention took messages that no backup has. Where it took some of the base, and no key is given to see which,
 * the stream is read from its beginning as well. Throws as the base, and as `open`.
 */
export async function continueStream(
  base: BaseBackup,
  entry: QueueEntry,
  access: StreamAccess,
  options: Abortable,
): Promise<StreamContinuation | StreamAnew> {
  const { offsets } = entry;
  const head = offsets && (await firstMessage(await access.open("first", 1), access));
  if (!offsets || !head || head.offset < offsets.first) return ANEW;
  if (head.offset > offsets.last) return { ...ANEW, gaps: lostBetween(offsets.last, head.offset) };
  const fingerprints = await base.fingerprints(entry, options);
  const remains = await readable(remainsOf(base, entry, { ...head, fingerprints }, options));
  if (remains === "unreadable") return { ...ANEW, notes: [UNREADABLE] };
  if (!remains) return ANEW;
  const cursor = await access.open(offsets.last);
  try {
    const batches = await behind(cursor, offsets.last, fingerprints, access);
    if (batches)
      return { ...remains, cursor, batches, offsets: { first: remains.first, last: offsets.last } };
  } catch (error) {
    await cursor[Symbol.asyncDispose]();
    throw error;
  }
  await cursor[Symbol.asyncDispose]();
  return ANEW;
}

interface Head {
  readonly offset: number;
  readonly fingerprint: Uint8Array;
}

async function firstMessage(cursor: QueueCursor, access: StreamAccess): Promise<Head | null> {
  await using reading = cursor;
  for await (const [record] of reading) {
    if (record?.streamOffset === undefined) continue;
    return { offset: record.streamOffset, fingerprint: await access.fingerprint(record) };
  }
  return null;
}

function lostBetween(last: number, first: number): Gap[] {
  if (first === last + 1) return [];
  const message = `the stream's retention removed offsets ${last + 1} to ${first - 1}, which came after the base, before they were read`;
  return [{ code: "RETENTION", message, messages: null }];
}

/** What is kept to compare with where no key is has no messages. */
async function readable<T>(reading: Promise<T>): Promise<T | "unreadable"> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, "KEY_WRONG")) return "unreadable";
    throw error;
  }
}

/** null: at the offset of the stream's first message the base has another one. */
async function remainsOf(
  base: BaseBackup,
  entry: QueueEntry,
  head: Head & { readonly fingerprints: Uint8Array },
  options: Abortable,
): Promise<Remains | null> {
  const removed = await removedBefore(base, entry, head.offset, options);
  const at = removed.messages * FINGERPRINT_BYTES;
  if (!sameBytes(head.fingerprints.subarray(at, at + FINGERPRINT_BYTES), head.fingerprint)) return null;
  const builder = new ContentBuilder(heldContent(base.manifest.id, entry));
  builder.keepFrom(removed.messages);
  return {
    kept: builder.content,
    keptBodyBytes: entry.bodyBytes - removed.bodyBytes,
    first: head.offset,
    // What 0-9-1 was not given then is not there now either.
    gaps: entry.gaps.filter(({ code }) => code === "NOT_DELIVERED"),
    notes:
      removed.messages === 0
        ? []
        : [
            `the stream's retention removed ${removed.messages} messages of the base before offset ${head.offset}`,
          ],
  };
}

/** How much of the base comes before `offset`: what its records say, for offsets have holes. */
async function removedBefore(
  base: BaseBackup,
  entry: QueueEntry,
  offset: number,
  options: Abortable,
): Promise<{ readonly messages: number; readonly bodyBytes: number }> {
  let messages = 0;
  let bodyBytes = 0;
  if (offset === entry.offsets?.first) return { messages, bodyBytes };
  for await (const batch of base.records(entry, options)) {
    for (const { record } of batch) {
      if ((record.streamOffset ?? Infinity) >= offset) return { messages, bodyBytes };
      messages += 1;
      bodyBytes += record.body.length;
    }
  }
  return { messages, bodyBytes };
}

/** The batches behind the base's last message, once that is seen to be the one expected; null: it is another. */
async function behind(
  cursor: QueueCursor,
  last: number,
  fingerprints: Uint8Array,
  access: StreamAccess,
): Promise<AsyncIterable<readonly MessageRecord[]> | null> {
  const reading = cursor[Symbol.asyncIterator]();
  const begun = await reading.next();
  const [record, ...rest] = begun.done === true ? [] : begun.value;
  if (record?.streamOffset !== last) return null;
  if (!sameBytes(await access.fingerprint(record), fingerprints.subarray(-FINGERPRINT_BYTES))) return null;
  return {
    async *[Symbol.asyncIterator]() {
      if (rest.length > 0) yield rest;
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) return;
        yield value;
      }
    },
  };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
