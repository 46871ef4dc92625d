import type { Gap } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { QueueCursor, QueueReader } from "../ports/queue-reader.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { ArchiveWriter } from "../repository/archive-writer.ts";
import type { IndexWriter } from "../repository/index-writer.ts";
import type { BackupDeps, BackupRequest } from "./backup-types.ts";
import type { BaseBackup } from "./base-backup.ts";
import type { Pace } from "./pace.ts";

/** What all queues of one backup are read with. */
export interface CaptureContext {
  readonly reader: QueueReader;
  readonly codec: Pick<SegmentCodec, "fingerprint" | "recycle">;
  /** null: everything is stored. */
  readonly base: BaseBackup | null;
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly pace: Pace;
  now(): Date;
  readonly report: BackupDeps["report"];
  readonly request: Pick<BackupRequest, "drain" | "maxHoldMs" | "segmentBytes" | "policy">;
  /** Drain: read at most so many of each queue. */
  readonly atMost: ((queue: QueueAddress) => number) | null;
  /** Cursors that are reading now, for whoever must stop them. */
  readonly reading: Set<QueueCursor>;
  /** Set once reading must not go on: no further queue is opened. */
  readonly stopped: () => Gap | null;
  readonly signal: AbortSignal;
}
