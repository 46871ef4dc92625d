import type { BackupError } from "../domain/errors.ts";
import type { FoundLock, ObjectLock } from "../domain/object-lock.ts";
import type { Abortable } from "./abortable.ts";

/** A body that can be read more than once, so that a put can be tried again. */
export interface ObjectBody {
  readonly bytes: number;
  open(): AsyncIterable<Uint8Array>;
  /** A finished local file with these bytes; a store on the same file system may link it instead of copying. */
  readonly file?: string;
}

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

export interface PutOptions extends Abortable {
  /** Put only when nothing is there: OBJECT_EXISTS otherwise, and what is there stays as it is. */
  readonly ifAbsent?: boolean;
  /** Only where there are `locks`. */
  readonly lock?: ObjectLock;
}

export interface GetOptions extends Abortable {
  /** Bytes [offset, offset + length); a range that reaches past the end is ARCHIVE_DAMAGED. */
  readonly range?: { readonly offset: number; readonly length: number };
}

/** Something was read from another copy, because this one does not have it, or not whole. */
export interface Fallback {
  readonly key: string;
  /** Locations. */
  readonly from: string;
  readonly to: string;
  readonly why: BackupError;
}

/** Stores with the same backups, in the order in which they are to be read. */
interface Copies {
  readonly stores: readonly Store[];
  onFallback(fallback: Fallback): void;
}

/** Of a target that may be able to lock what it keeps. Its versions: what is overwritten or deleted stays as an older one. */
export interface ObjectLocks {
  /** Throws TARGET_REFUSED where nothing can be locked, or that cannot be told. */
  check(options?: Abortable): Promise<void>;
  /** null: it is not locked, or not there. Throws TARGET_REFUSED where that cannot be told. */
  of(key: string, options?: Abortable): Promise<FoundLock | null>;
  /** Locks what is there, for longer than it is. A shorter lock than it has, or one of another mode, is TARGET_REFUSED. */
  extend(key: string, lock: ObjectLock, options?: Abortable): Promise<void>;
}

/**
 * One target: where objects are kept under slash-separated keys.
 * - put is all or nothing: when it resolves the object is durable and visible whole; when it rejects, nothing of it is visible.
 * - get, list, keys and delete of what is not there: OBJECT_MISSING from get; nothing from list and keys; delete resolves.
 * - list gives every object below the prefix, keys ascending by code unit; keys the same without what costs a look at each object.
 * - Failures: TARGET_MISSING, TARGET_REFUSED (permission, read-only), TARGET_FULL, TARGET_FAILED (all else). They are final: a store whose
 *   client tries again what is transient, as that of S3 does, has done so.
 * - Where an answer was lost, a put that rejects may have been done all the same: whoever needs to know looks, or removes.
 */
export interface Store {
  /** For people; never holds a secret. */
  readonly location: string;
  /** Stands for several; whoever checks what he reads asks one after another: see `repository/copies.ts`. Absent: it is one. */
  readonly copies?: Copies;
  /** Absent: nothing is ever locked there. */
  readonly locks?: ObjectLocks;
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<void>;
  get(key: string, options?: GetOptions): AsyncIterable<Uint8Array>;
  list(prefix: string, options?: Abortable): AsyncIterable<ObjectInfo>;
  keys(prefix: string, options?: Abortable): AsyncIterable<string>;
  delete(key: string, options?: Abortable): Promise<void>;
  /** Drops what killed runs left half put, a day ago or more, and no listing shows, as far as that is allowed. Absent: there is never any. */
  sweep?(options?: Abortable): Promise<void>;
  /** Total and free bytes where keeping happens; null where that cannot be told. */
  capacity(options?: Abortable): Promise<{ readonly totalBytes: number; readonly freeBytes: number } | null>;
}
