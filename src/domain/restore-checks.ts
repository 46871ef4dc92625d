import type { Reason } from "./manifest.ts";
import { overflowBehaviour, queueSetting } from "./queue-settings.ts";
import { describeQueue, type QueueInfo } from "./queue.ts";
import type { DestinationState } from "./destination-state.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { RestoreTarget } from "./restore-targets.ts";

export interface CheckContext {
  readonly request: RestoreRequest;
  readonly resumed: boolean;
  readonly from: number;
  readonly initial: number;
}

export interface Checked {
  readonly refusals: readonly Reason[];
  readonly notes: readonly string[];
}

/** May this queue be restored into that destination? */
export function checkTarget(target: RestoreTarget, state: DestinationState, context: CheckContext): Checked {
  const accept = context.request.accept;
  const settings = state.found === null ? target.source : state.info;
  return {
    refusals: [
      ...existence(target, state, context),
      ...(accept.has("type-change") ? [] : typeChange(target, state)),
      ...(accept.has("overflow") || settings === null ? [] : overflow(target, settings, state, context)),
    ],
    notes: [
      ...consumerNotes(state),
      ...journalNotes(target, state, context),
      ...(settings === null ? unknownNotes(state) : settingNotes(settings)),
      ...(state.info === null ? [] : differenceNotes(target, state.info)),
    ],
  };
}

function existence(
  target: RestoreTarget,
  { found, journal }: DestinationState,
  context: CheckContext,
): Reason[] {
  const { source, destination } = target;
  const { request, resumed } = context;
  const where = describeQueue(destination);
  if (found === null) return request.definitions === "none" ? [missing(where)] : undeclarable(source, where);
  if (found.ready === 0 || request.append || resumed) return [];
  const unfinished = journal !== null && !journal.finished;
  const holds = `${where} holds ${found.ready} messages`;
  if (request.resume) {
    return [
      {
        code: "not-empty",
        message: `${holds}, and no broken-off restore of this backup into it is known here`,
        hint: "Give the same --url and --state-dir as for the restore that broke off, or restore behind them with --append.",
      },
    ];
  }
  return [
    {
      code: "not-empty",
      message: unfinished ? `${holds}, some of them from a broken-off restore of the same backup` : holds,
      hint: unfinished
        ? "Go on with it by --resume, or empty the queue and restore again."
        : "Restore behind them with --append, or into another queue with --map.",
    },
  ];
}

function missing(where: string): Reason {
  return {
    code: "queue-missing",
    message: `${where} does not exist`,
    hint: "Declare it first, or leave that to mqbackup with --definitions missing.",
  };
}

function undeclarable(source: RestoreTarget["source"], where: string): Reason[] {
  if (source.durable !== null && source.type !== "unknown" && source.type !== "other") return [];
  return [
    {
      code: "definition-unknown",
      message: `${where} does not exist, and the backup does not know how it was declared`,
      hint: "Declare it first; backups made with the management API know.",
    },
  ];
}

function typeChange({ source, destination }: RestoreTarget, { info }: DestinationState): Reason[] {
  if (info === null || info.type === source.type || info.type === "unknown" || source.type === "unknown")
    return [];
  return [
    {
      code: "type-change",
      message: `${describeQueue(destination)} is of type ${info.type}, in the backup it is ${source.type}`,
      hint: "Restore into a queue of the same type, or accept the change with --accept type-change.",
    },
  ];
}

type Settings = Pick<QueueInfo, "arguments" | "effectivePolicy">;

function overflow(
  target: RestoreTarget,
  settings: Settings,
  state: DestinationState,
  context: CheckContext,
): Reason[] {
  const { destination, messages, bodyBytes } = target;
  const refusal = (what: string): Reason => ({
    code: "overflow",
    message: `${describeQueue(destination)} takes ${what}; its overflow behaviour is ${overflowBehaviour(settings)}`,
    hint: "Raise the limit while restoring, or accept the loss with --accept overflow.",
  });
  const maxLength = queueSetting(settings, "max-length");
  const wanted = context.initial + messages;
  const maxBytes = queueSetting(settings, "max-length-bytes");
  const there = context.resumed || state.found === null ? 0 : (state.info?.readyBytes ?? 0);
  const wantedBytes = there + bodyBytes;
  return [
    ...(maxLength !== null && wanted > maxLength
      ? [refusal(`${maxLength} messages and would get ${wanted}`)]
      : []),
    ...(maxBytes !== null && wantedBytes > maxBytes
      ? [refusal(`${maxBytes} bytes and would get ${wantedBytes}`)]
      : []),
  ];
}

function consumerNotes({ found }: DestinationState): string[] {
  if (found === null || found.consumers === 0) return [];
  const consumers = found.consumers === 1 ? "1 consumer is" : `${found.consumers} consumers are`;
  return [`${consumers} attached and will take messages while it is restored`];
}

export function journalNotes(
  { source }: RestoreTarget,
  state: DestinationState,
  { resumed, from }: Pick<CheckContext, "resumed" | "from">,
): string[] {
  if (resumed && from > 0) return [`goes on after message ${from}`];
  if (resumed || state.journal === null || state.journal.finished) return [];
  return [
    `an earlier restore of queue ${source.name} was broken off after ${state.journal.confirmed} messages`,
  ];
}

function unknownNotes({ found }: DestinationState): string[] {
  return found === null ? [] : ["its type and limits are not known without the management API"];
}

function settingNotes(settings: Settings): string[] {
  const ttl = queueSetting(settings, "message-ttl");
  const expires = queueSetting(settings, "expires");
  return [
    ...(ttl === null ? [] : [`it drops messages after ${ttl} ms, counted from the restore`]),
    ...(expires === null ? [] : [`it is deleted after ${expires} ms without use, and publishing is no use`]),
  ];
}

/** Arguments that other checks speak of. */
const COVERED: ReadonlySet<string> = new Set(["x-queue-type", "x-message-ttl", "x-expires"]);

function differenceNotes({ source }: RestoreTarget, info: QueueInfo): string[] {
  const names = new Set([...Object.keys(source.arguments), ...Object.keys(info.arguments)]);
  const shown = (value: unknown): string => (value === undefined ? "not set" : JSON.stringify(value));
  const differences = [...names]
    .filter((name) => !COVERED.has(name))
    .map((name) => ({ name, here: shown(info.arguments[name]), there: shown(source.arguments[name]) }))
    .filter(({ here, there }) => here !== there)
    .map(({ name, here, there }) => `its argument ${name} is ${here}, in the backup ${there}`);
  return [
    ...differences,
    ...(info.autoDelete === true ? ["it is deleted when its last consumer leaves"] : []),
  ];
}
