import type { Fallbacks } from "./fallbacks.ts";
import type { QueuePlan, RestorePlan } from "../domain/restore-plan.ts";
import { messagesOf } from "../domain/restore-targets.ts";
import type { ReadBack, RestoredQueue, RestoreResult } from "../usecases/restore-types.ts";
import { nameOf } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted, formatDuration } from "./units.ts";

/** What a dry run says. */
export function planLines({ backup, plan }: RestoreResult, paint: Paint): readonly string[] {
  const [title, ...lines] = formatTable(
    [
      { title: "QUEUE" },
      { title: "INTO" },
      { title: "MESSAGES", align: "right" },
      { title: "HOLDS NOW", align: "right" },
      { title: "" },
    ],
    plan.queues.map((queue) => [
      nameOf(queue.source, true),
      queue.tally === null ? nameOf(queue.destination, true) : "where it died from",
      formatCount(queue.messages - queue.from),
      queue.declare === null && queue.tally === null ? formatCount(queue.initial) : "-",
      queue.declare === null ? "" : "to be declared",
    ]),
  );
  return [
    `${paint(`backup ${backup}`, "bold")} would be restored:`,
    "",
    ...(title === undefined ? [] : [paint(title, "dim"), ...lines]),
    ...planRemarks(plan, paint),
  ];
}

export function restoreLines(result: RestoreResult, paint: Paint): readonly string[] {
  const [title, ...lines] = formatTable(
    [
      { title: "QUEUE" },
      { title: "OUTCOME" },
      { title: "RESTORED", align: "right" },
      { title: "OF", align: "right" },
      { title: "TOOK", align: "right" },
      { title: "CONFIRM P50", align: "right" },
      { title: "P99", align: "right" },
    ],
    result.queues.map((queue) => [
      nameOf(queue.destination, true),
      queue.outcome,
      formatCount(queue.confirmed),
      formatCount(queue.messages),
      formatDuration(queue.durationMs),
      queue.latency === null ? "-" : formatDuration(queue.latency.p50),
      queue.latency === null ? "-" : formatDuration(queue.latency.p99),
    ]),
  );
  const { messages, bodyBytes, latencyMs, messagesPerSecond, bodyBytesPerSecond } = restoreMeasures(result);
  const declared = result.queues.filter((queue) => queue.declared).length;
  const remarks = [
    ...result.plan.queues.flatMap(({ tally, source }) => originLines(tally, nameOf(source, true))),
    ...result.queues.flatMap((queue) => queueRemarks(queue, paint)),
    ...unselectedLines(result.plan, paint),
    ...leftLines(result.plan, paint),
  ];
  return [
    `${paint(`backup ${result.backup}`, "bold")} restored to ${visible(result.broker)}`,
    "",
    ...(title === undefined ? [] : [paint(title, "dim"), ...lines]),
    ...(remarks.length === 0 ? [] : ["", ...remarks]),
    "",
    `${formatCounted(messages, "message")} published and confirmed, ${formatBytes(bodyBytes)} of bodies, in ${formatDuration(latencyMs)} (${formatCount(messagesPerSecond)} messages/s, ${formatBytes(bodyBytesPerSecond)}/s)`,
    ...(declared + result.exchanges.length + result.bindings === 0
      ? []
      : [
          `declared ${formatCounted(declared, "queue")}, ${formatCounted(result.exchanges.length, "exchange")}, ${formatCounted(result.bindings, "binding")}`,
        ]),
  ];
}

/** Of all queues together. Latency: fetch, publish and confirm of all there was; of single confirms the slowest queue's. */
export function restoreMeasures({ queues, startedAt, finishedAt }: RestoreResult) {
  const messages = queues.reduce((sum, queue) => sum + queue.confirmed - queue.before, 0);
  const bodyBytes = queues.reduce((sum, queue) => sum + queue.bodyBytes, 0);
  const latencyMs = Math.max(1, finishedAt.getTime() - startedAt.getTime());
  const latencies = queues.flatMap(({ latency }) => (latency === null ? [] : [latency]));
  const slowest = (of: (latency: { p50: number; p99: number }) => number): number | null =>
    latencies.length === 0 ? null : Math.max(...latencies.map(of));
  return {
    messages,
    bodyBytes,
    latencyMs,
    confirmP50Ms: slowest(({ p50 }) => p50),
    confirmP99Ms: slowest(({ p99 }) => p99),
    messagesPerSecond: (messages * 1000) / latencyMs,
    bodyBytesPerSecond: Math.round((bodyBytes * 1000) / latencyMs),
  };
}

/** Only what is not as it was asked for. */
export function restoreComplaints({ queues, plan }: RestoreResult, paint: Paint): readonly string[] {
  const wrong = queues.filter(
    ({ outcome, short, readBack }) =>
      outcome !== "restored" || short > 0 || (readBack !== null && readBack.kind !== "same"),
  );
  return [...wrong.flatMap((queue) => queueRemarks(queue, paint)), ...leftLines(plan, paint)];
}

function planRemarks(plan: RestorePlan, paint: Paint): readonly string[] {
  const lines = [
    ...plan.refusals.flatMap(({ message, hint }) => [
      `${paint("refused:", "red")} ${visible(message)}`,
      ...(hint === null || hint === "" ? [] : [`  ${paint("hint:", "yellow")} ${visible(hint)}`]),
    ]),
    ...plan.queues.flatMap((queue) => planNotes(queue, paint)),
    ...unselectedLines(plan, paint),
    ...leftLines(plan, paint),
  ];
  return lines.length === 0 ? [] : ["", ...lines];
}

function planNotes({ destination, notes, duplicates, tally }: QueuePlan, paint: Paint): readonly string[] {
  const name = nameOf(destination, true);
  const twice =
    duplicates === 0 ? [] : [`at most ${formatCounted(duplicates, "message")} will be there twice`];
  return [
    ...originLines(tally, name),
    ...[...notes, ...twice].map((note) => `${paint("note", "dim")} on ${name}: ${visible(note)}`),
  ];
}

/** So many origins are shown. */
const SHOWN_ORIGINS = 10;

function originLines(tally: QueuePlan["tally"], name: string): readonly string[] {
  if (tally === null) return [];
  const shown = tally.origins.slice(0, SHOWN_ORIGINS);
  const rest = tally.origins.slice(SHOWN_ORIGINS).reduce((sum, { messages }) => sum + messages, tally.others);
  return [
    ...shown.map(({ exchange, routingKey, messages }) => {
      const where = exchange === "" ? "the default exchange" : `exchange ${visible(exchange)}`;
      return `${name}: ${formatCounted(messages, "message")} to ${where}, routing key ${visible(routingKey)}`;
    }),
    ...(rest === 0 ? [] : [`${name}: ${formatCounted(rest, "message")} to others`]),
  ];
}

function queueRemarks(queue: RestoredQueue, paint: Paint): readonly string[] {
  const name = nameOf(queue.destination, true);
  const { failure, readBack } = queue;
  return [
    ...(failure === null
      ? []
      : [
          `${paint("failed", "red")} ${name}: ${visible(failure.message)}`,
          ...(failure.hint === undefined ? [] : [`  ${paint("hint:", "yellow")} ${visible(failure.hint)}`]),
        ]),
    ...(queue.short === 0
      ? []
      : [
          `${paint("missing", "red")} from ${name}: ${formatCounted(queue.short, "message")} that was confirmed is not ready, and no consumer is attached`,
        ]),
    ...(readBack === null ? [] : [readBackLine(name, readBack, paint)]),
    ...queue.notes.map((note) => `${paint("note", "dim")} on ${name}: ${visible(note)}`),
  ];
}

function readBackLine(name: string, readBack: ReadBack, paint: Paint): string {
  if (readBack.kind === "same") {
    return `${paint("read back", "green")} ${name}: ${formatCounted(readBack.messages, "message")}, all as backed up`;
  }
  if (readBack.kind === "unread")
    return `${paint("not read back", "yellow")} ${name}: ${visible(readBack.why)}`;
  return `${paint("differs", "red")} ${name}: ${readBack.part} at message ${readBack.sequence + 1}`;
}

function leftLines({ left }: RestorePlan, paint: Paint): readonly string[] {
  return left.map(
    ({ queue, reason }) =>
      `${paint("not in the backup", "yellow")} ${nameOf(queue, true)}: ${visible(reason.message)}`,
  );
}

function unselectedLines({ unselected }: RestorePlan, paint: Paint): readonly string[] {
  if (unselected.length === 0) return [];
  const names = unselected.map((queue) => nameOf(queue, true)).join(", ");
  return [`${paint("nothing selected", "dim")} of ${names}`];
}

export function restoreJson(result: RestoreResult, status: number, fallbacks: Fallbacks): unknown {
  const failureJson = (failure: RestoreResult["failure"]) =>
    failure === null ? null : { code: failure.code, message: failure.message, hint: failure.hint ?? null };
  return {
    status,
    fallbacks: fallbacks.json(),
    backup: result.backup,
    broker: result.broker,
    dryRun: result.dryRun,
    startedAt: result.startedAt.toISOString(),
    finishedAt: result.finishedAt.toISOString(),
    refusals: result.plan.refusals,
    plan: result.plan.queues.map((queue) => ({
      source: { vhost: queue.source.vhost, name: queue.source.name },
      destination: queue.destination,
      messages: queue.messages,
      held: messagesOf(queue.source),
      from: queue.from,
      ready: queue.declare === null ? queue.initial : null,
      declare: queue.declare !== null,
      route: queue.route,
      origins: queue.tally?.origins ?? null,
      otherOrigins: queue.tally?.others ?? null,
      duplicates: queue.duplicates,
      notes: queue.notes,
    })),
    left: result.plan.left,
    unselected: result.plan.unselected.map(({ vhost, name }) => ({ vhost, name })),
    exchanges: result.exchanges,
    bindings: result.bindings,
    queues: result.queues.map((queue) => ({ ...queue, failure: failureJson(queue.failure) })),
    measures: restoreMeasures(result),
    failure: failureJson(result.failure),
  };
}
