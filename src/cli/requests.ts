import type { MessageFilter } from "../ports/message-filter.ts";
import type { Durability } from "../domain/durability.ts";
import type { BackupRequest, IncrementalRequest } from "../usecases/backup-types.ts";
import type { RekeyRequest } from "../usecases/rekey-types.ts";
import type { CopyRequest } from "../usecases/copy-types.ts";
import type { DrillRequest } from "../usecases/drill-types.ts";
import type { CompactRequest } from "../usecases/compact-types.ts";
import type { PruneRequest } from "../usecases/prune-plan.ts";
import type { RestoreCommand } from "../usecases/restore-types.ts";
import type { SurveyRequest } from "../usecases/survey.ts";
import type { QueueAddress } from "../domain/queue.ts";
import type { ReadingPolicy } from "../domain/reading-recipe.ts";
import type { SequenceRange } from "../domain/sequence-range.ts";
import type { RetentionPolicy } from "../domain/retention-policy.ts";
import type { BrokerAccess } from "./broker-access.ts";
import type { Session } from "./session.ts";
import type { Settings } from "./settings-schema.ts";
import type { VerifyLevel } from "../domain/verify-level.ts";

/** Of record bytes before compression: memory is a small multiple of it. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

/** Settings in the words of the use cases. */

export function surveyRequest(settings: Settings, access: BrokerAccess): SurveyRequest {
  const [first = access.vhost, ...others] = settings.vhost;
  return {
    vhosts: settings.allVhosts ? "all" : [first, ...others],
    selection: { queues: settings.queue, exclude: settings.exclude },
    told: { type: settings.queueType ?? "unknown", deliveryLimit: settings.deliveryLimit },
    policy: readingPolicy(settings),
    holdMemory: settings.holdMemory,
  };
}

/** Only a full backup may drain. `incremental` null: a full. */
export function backupRequest(
  { settings, tool }: Session,
  access: BrokerAccess,
  incremental: IncrementalRequest | null,
): BackupRequest {
  const drain = settings.drain && incremental === null;
  return {
    ...surveyRequest({ ...settings, drain }, access),
    set: settings.set,
    incremental,
    durability: durabilityOf(settings),
    breakLease: settings.breakLease,
    drain,
    parallel: settings.parallel,
    maxHoldMs: settings.maxHold,
    rate: settings.rate,
    volumeBytes: settings.volumeSize,
    spoolMaxBytes: settings.spoolMax,
    segmentBytes: SEGMENT_BYTES,
    dryRun: settings.dryRun,
    tool,
    url: access.shownUrl,
  };
}

export function restoreCommand(settings: Settings, filter: MessageFilter | null): RestoreCommand {
  return {
    backup: settings.id ?? "latest",
    selects: selectorOf(settings),
    range: rangeOf(settings),
    filter,
    named: namedIn(settings),
    mappings: settings.map,
    toVhost: settings.toVhost,
    route: settings.toOrigin ? "origin" : ROUTES[settings.route],
    toOrigin: settings.toOrigin,
    deathHeader: settings.toOrigin ? settings.deathHeader : "keep",
    definitions: settings.definitions,
    append: settings.append,
    resume: settings.resume,
    expiration: settings.expiration,
    userId: settings.userId,
    accept: new Set(settings.accept),
    dryRun: settings.dryRun,
    parallel: settings.parallel,
    readBack: settings.readBack,
    reading: { policy: { ...readingPolicy(settings), drain: false }, maxHoldMs: settings.maxHold },
  };
}

export function drillRequest(settings: Settings): DrillRequest {
  return {
    backup: settings.id ?? "latest",
    selects: selectorOf(settings),
    named: namedIn(settings),
    parallel: settings.parallel,
    maxHoldMs: settings.maxHold,
  };
}

const ROUTES = { queue: "fanout", default: "default", exchange: "origin" } as const;

function namedIn({ queue, vhost }: Settings): RestoreCommand["named"] {
  return queue.flatMap(({ exact }) => (exact === null ? [] : [{ vhost: onlyOne(vhost), name: exact }]));
}

/** Queues of a backup, by `--vhost`, `--queue` and `--exclude`. */
export function selectorOf({ vhost, queue, exclude }: Settings): (address: QueueAddress) => boolean {
  return (address) =>
    (vhost.length === 0 || vhost.includes(address.vhost)) &&
    !exclude.some((pattern) => pattern.matches(address.name)) &&
    (queue.length === 0 || queue.some((pattern) => pattern.matches(address.name)));
}

/** Messages of each queue, by `--from-seq` and `--to-seq`. */
export function rangeOf({ fromSeq, toSeq }: Settings): SequenceRange {
  return { from: fromSeq, to: toSeq };
}

export function copyRequest({ settings, manyArguments }: Session): CopyRequest {
  const { checksum, dryRun, breakLease } = settings;
  return { backups: manyArguments, checksum, dryRun, breakLease };
}

export function rekeyRequest({ settings, manyArguments }: Session): RekeyRequest {
  const { dryRun, breakLease } = settings;
  return { backups: manyArguments, dryRun, breakLease };
}

export function pruneRequest(settings: Settings): PruneRequest {
  const { set, confirm, breakLease } = settings;
  return { policy: retentionPolicy(settings), set, confirmed: confirm, breakLease };
}

export function retentionPolicy(settings: Settings): RetentionPolicy {
  return {
    last: settings.keepLast,
    periods: {
      hourly: settings.keepHourly,
      daily: settings.keepDaily,
      weekly: settings.keepWeekly,
      monthly: settings.keepMonthly,
      yearly: settings.keepYearly,
    },
    withinMs: settings.keepWithin,
    full: settings.keepFull,
  };
}

function readingPolicy(settings: Settings): ReadingPolicy {
  return {
    keepDeliveries: settings.keepDeliveries,
    priority: settings.readerPriority,
    accept: new Set(settings.accept),
    drain: settings.drain,
  };
}

function durabilityOf({ durability, minCopies }: Settings): Durability {
  return durability === "async" ? { async: true } : { async: false, minCopies };
}

function onlyOne(values: readonly string[]): string | null {
  return values.length === 1 ? (values[0] ?? null) : null;
}

export function compactRequest({ settings, argument, tool }: Session): CompactRequest {
  return {
    backup: argument ?? "latest",
    durability: durabilityOf(settings),
    volumeBytes: settings.volumeSize,
    spoolMaxBytes: settings.spoolMax,
    segmentBytes: SEGMENT_BYTES,
    dryRun: settings.dryRun,
    breakLease: settings.breakLease,
    tool,
  };
}

export function verifyLevel({ quick, records, sample }: Settings): VerifyLevel {
  if (sample !== null) return { kind: "sample", part: sample };
  return { kind: quick ? "quick" : records ? "records" : "checksums" };
}
