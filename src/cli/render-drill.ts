import type { Fallbacks } from "./fallbacks.ts";
import type { DrilledQueue, DrillResult } from "../usecases/drill-types.ts";
import { nameOf } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted, formatDuration } from "./units.ts";

/** A line for each queue, then what a person should know of them, then the sums. */
export function drillLines(result: DrillResult, paint: Paint): readonly string[] {
  const { queues, backup, broker, definitions, notRemoved } = result;
  const [title, ...lines] = formatTable(
    [
      { title: "QUEUE" },
      { title: "TYPE" },
      { title: "OUTCOME" },
      { title: "MESSAGES", align: "right" },
      { title: "BODIES", align: "right" },
      { title: "RESTORED IN", align: "right" },
      { title: "READ BACK IN", align: "right" },
    ],
    queues.map((queue) => [
      nameOf(queue.queue, true),
      queue.type,
      queue.outcome,
      formatCount(queue.messages),
      formatBytes(queue.bodyBytes),
      queue.restoreMs === null ? "-" : formatDuration(queue.restoreMs),
      queue.readBackMs === null ? "-" : formatDuration(queue.readBackMs),
    ]),
  );
  const proven = queues.filter(({ outcome }) => outcome === "proven");
  const sum = (of: (queue: DrilledQueue) => number): number =>
    proven.reduce((all, queue) => all + of(queue), 0);
  const took = formatDuration(result.finishedAt.getTime() - result.startedAt.getTime());
  const where = broker === "" ? "" : ` on ${visible(broker)}`;
  const { exchanges, bindings } = definitions;
  const remarks = [...queues.flatMap((queue) => remarksOn(queue, paint)), ...otherRemarks(result, paint)];
  return [
    `${paint(`backup ${backup}`, "bold")} drilled${where}`,
    "",
    ...(title === undefined ? [] : [paint(title, "dim"), ...lines]),
    ...(remarks.length === 0 ? [] : ["", ...remarks]),
    "",
    `${formatCount(proven.length)} of ${formatCounted(queues.length, "queue")} proven: ${formatCounted(
      sum(({ messages }) => messages),
      "message",
    )} came back as backed up and in order, ${formatBytes(sum(({ bodyBytes }) => bodyBytes))} of bodies, in ${took}`,
    ...(exchanges + bindings === 0
      ? []
      : [`declared besides: ${formatCounted(exchanges, "exchange")}, ${formatCounted(bindings, "binding")}`]),
    ...(notRemoved.length === 0 && broker !== "" ? ["removed again: all that the drill made"] : []),
  ];
}

/** Only what is not as it was asked for. */
export function drillComplaints(result: DrillResult, paint: Paint): readonly string[] {
  const wrong = result.queues.filter(({ outcome, partial }) => outcome !== "proven" || partial);
  return [
    ...wrong.flatMap((queue) => remarksOn(queue, paint)),
    ...otherRemarks({ ...result, swept: [] }, paint),
  ];
}

function remarksOn({ queue, outcome, failure, notes }: DrilledQueue, paint: Paint): readonly string[] {
  const name = nameOf(queue, true);
  const colour = outcome === "not-drilled" || outcome === "interrupted" ? "yellow" : "red";
  return [
    ...(failure === null ? [] : [`${paint(outcome, colour)} ${name}: ${visible(failure.message)}`]),
    ...(failure?.hint === undefined ? [] : [`  ${paint("hint:", "yellow")} ${visible(failure.hint)}`]),
    ...notes.map((note) => `${paint("note", "dim")} on ${name}: ${visible(note)}`),
  ];
}

function otherRemarks({ left, definitions, swept }: DrillResult, paint: Paint): readonly string[] {
  return [
    ...left.map(
      ({ queue, reason }) =>
        `${paint("not in the backup", "yellow")} ${nameOf(queue, true)}: ${visible(reason.message)}`,
    ),
    ...definitions.refused.map(
      ({ vhost, what, why }) =>
        `${paint("not declared", "yellow")} ${visible(what)} in ${visible(vhost)}: ${visible(why)}`,
    ),
    ...(swept.length === 0
      ? []
      : [`${paint("note", "dim")}: removed what earlier drills had left: ${swept.map(visible).join(", ")}`]),
  ];
}

export function drillJson(result: DrillResult, status: number, fallbacks: Fallbacks): unknown {
  const failureJson = (failure: DrillResult["failure"]) =>
    failure === null ? null : { code: failure.code, message: failure.message, hint: failure.hint ?? null };
  const { backup, broker, startedAt, finishedAt, queues, left, definitions, userIds, swept, notRemoved } =
    result;
  return {
    status,
    fallbacks: fallbacks.json(),
    backup,
    broker,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    proven: queues.filter(({ outcome }) => outcome === "proven").length,
    queues: queues.map(({ queue, failure, ...rest }) => ({
      vhost: queue.vhost,
      name: queue.name,
      ...rest,
      failure: failureJson(failure),
    })),
    left,
    definitions,
    userIds,
    swept,
    notRemoved,
    failure: failureJson(result.failure),
  };
}
