import type { DestinationState } from "./destination-state.ts";
import type { Reason } from "./manifest.ts";
import { describeTask } from "./message-selection.ts";
import type { PropertyEdits } from "./outgoing.ts";
import { describeQueue, type QueueAddress } from "./queue.ts";
import { replayRefusals } from "./replay-checks.ts";
import { checkTarget, journalNotes, type CheckContext, type Checked } from "./restore-checks.ts";
import { resumePoint, type ResumePoint, type RestoreJournal } from "./restore-journal.ts";
import type { RestoreRequest, Route } from "./restore-request.ts";
import { messagesOf, type RestoreTarget, type RestoreTargets } from "./restore-targets.ts";

export interface QueueDeclaration extends QueueAddress {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface RestorePlan {
  readonly queues: readonly QueuePlan[];
  readonly left: RestoreTargets["left"];
  readonly unselected: RestoreTargets["unselected"];
  /** Any of them forbids the whole restore. */
  readonly refusals: readonly Reason[];
}

export interface QueuePlan extends RestoreTarget {
  readonly route: Route;
  /** What the request does not say of properties, and this queue needs; absent: nothing. */
  readonly edits?: Pick<PropertyEdits, "priority">;
  /** null: it exists. */
  readonly declare: QueueDeclaration | null;
  /** An earlier attempt of this restore declared it, so exchanges and bindings are its business too. */
  readonly declaredBefore: boolean;
  /** Ready messages before the first of this restore, as far as is known now; those of a broken-off attempt not counted. */
  readonly initial: number;
  /** Wanted messages that are already there: 0 unless resumed. */
  readonly from: number;
  /** Counting could not tell `from`; reading the queue back can. */
  readonly toProve: Extract<ResumePoint, { kind: "unknown" }> | null;
  /** How many messages may be there twice; 0 unless accepted. */
  readonly duplicates: number;
  readonly notes: readonly string[];
}

/** Decides everything about a restore before anything is touched. `states` are in the order of the targets. */
export function planRestore(
  chosen: RestoreTargets,
  states: readonly DestinationState[],
  request: RestoreRequest,
): RestorePlan {
  const refusals: Reason[] = [...chosen.refusals];
  const declared = new Set<string>();
  const queues = chosen.targets.map((target, i) => {
    const state = states[i] ?? { found: null, info: null, journal: null };
    const { plan, refused } = planQueue(target, state, request);
    refusals.push(...refused);
    // Of several that go into one queue the first declares it.
    const key = destinationKey(target);
    if (declared.has(key)) return { ...plan, declare: null };
    declared.add(key);
    return plan;
  });
  return { queues, left: chosen.left, unselected: chosen.unselected, refusals };
}

/** The same for targets that go into the same queue. */
export function destinationKey({ destination }: Pick<RestoreTarget, "destination">): string {
  return JSON.stringify([destination.vhost, destination.name]);
}

function planQueue(
  target: RestoreTarget,
  state: DestinationState,
  request: RestoreRequest,
): { readonly plan: QueuePlan; readonly refused: readonly Reason[] } {
  const { found, journal } = state;
  const resumed = request.resume && journal !== null;
  const point = resumed ? whereToGoOn(target, state, journal, request) : FRESH;
  const initial = resumed ? journal.initial : (found?.ready ?? 0);
  const declare = found === null && !request.toOrigin ? declarationOf(target) : null;
  const checked = check(target, state, { request, resumed, from: point.from, initial });
  const plan: QueuePlan = {
    ...target,
    route: request.route,
    declare,
    declaredBefore: resumed && journal.declared,
    initial,
    from: point.from,
    toProve: point.toProve,
    duplicates: point.duplicates,
    notes: [...selectionNotes(target), ...checked.notes, ...gapNotes(target)],
  };
  return { plan, refused: [...checked.refusals, ...(point.refusal ? [point.refusal] : [])] };
}

/** What goes back to its origin has nothing to do with the queue it was backed up from. */
function check(target: RestoreTarget, state: DestinationState, context: CheckContext): Checked {
  if (!context.request.toOrigin) return checkTarget(target, state, context);
  return {
    refusals: replayRefusals(target, context.request),
    notes: journalNotes(target, state, context),
  };
}

interface GoingOn {
  readonly from: number;
  readonly duplicates: number;
  readonly toProve: QueuePlan["toProve"];
  readonly refusal: Reason | null;
}

const FRESH: GoingOn = { from: 0, duplicates: 0, toProve: null, refusal: null };

function whereToGoOn(
  { source, destination }: RestoreTarget,
  { found, info }: DestinationState,
  journal: RestoreJournal,
  request: RestoreRequest,
): GoingOn {
  const task = describeTask(request);
  if (journal.selection !== task)
    return { ...FRESH, refusal: otherTask(destination, journal.selection, task) };
  const point = resumePoint(journal, {
    ready: found?.ready ?? 0,
    consumers: found?.consumers ?? 0,
    type: info?.type ?? source.type,
  });
  if (point.kind === "known") return { ...FRESH, from: point.from };
  if (request.accept.has("duplicates"))
    return { ...FRESH, from: point.confirmed, duplicates: point.duplicates };
  if (point.candidate !== null) return { ...FRESH, from: point.candidate, toProve: point };
  const refusal = unknownResume(destination, point);
  return {
    ...FRESH,
    from: point.confirmed,
    // There is no queue of its own to empty.
    refusal: request.toOrigin
      ? { ...refusal, hint: `If that is better than none, ${goOnHint(point)}` }
      : refusal,
  };
}

/** What is counted in the journal are other messages. */
function otherTask(destination: QueueAddress, before: string, now: string): Reason {
  const none = "no selection of messages";
  return {
    code: "other-selection",
    message: `the broken-off restore of ${describeQueue(destination)} was run with ${before || none}, this one is with ${now || none}`,
    hint: "Resume with the flags of the restore that broke off, or empty the queue and restore without --resume.",
  };
}

/** The refusal for a queue of which nobody can tell how far it was restored. */
export function unknownResume(
  destination: QueueAddress,
  point: Extract<ResumePoint, { kind: "unknown" }>,
): Reason {
  return {
    code: "resume-unknown",
    message: `how far ${describeQueue(destination)} was restored cannot be known: ${point.why}`,
    hint: `Empty it and restore again, or ${goOnHint(point)}`,
  };
}

function goOnHint({ confirmed, duplicates }: Extract<ResumePoint, { kind: "unknown" }>): string {
  return `go on after message ${confirmed} with --accept duplicates (at most ${duplicates} twice).`;
}

/** The queue as it was, by the backup; null when the backup cannot tell (AMQP-only mode). */
function declarationOf({ source, destination }: RestoreTarget): QueueDeclaration | null {
  if (source.durable === null || source.type === "unknown" || source.type === "other") return null;
  return {
    ...destination,
    durable: source.durable,
    autoDelete: source.autoDelete ?? false,
    // Always said: without it the virtual host's default type decides. Brokers take a declaration without it for the same queue.
    arguments: { "x-queue-type": source.type, ...source.arguments },
  };
}

function selectionNotes({ source, choice, messages }: RestoreTarget): string[] {
  return choice === null ? [] : [`${messages} of ${messagesOf(source)} messages are selected`];
}

function gapNotes({ source }: RestoreTarget): string[] {
  return source.gaps.map(({ message, messages }) => {
    const count = messages === null ? "an unknown number of messages" : `${messages} messages`;
    return `the backup lacks ${count} of it: ${message}`;
  });
}
