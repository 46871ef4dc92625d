import { BackupError } from "../domain/errors.ts";
import { MessageChoice } from "../domain/message-choice.ts";
import { describeSelection, isSelective } from "../domain/message-selection.ts";
import { OriginTally } from "../domain/origin-tally.ts";
import { messagesOf, type RestoreTarget, type RestoreTargets } from "../domain/restore-targets.ts";
import type { RestoreContent } from "./restore-content.ts";
import type { RestoreCommand, RestoreDeps } from "./restore-types.ts";

export interface ChoosingContext {
  readonly deps: Pick<RestoreDeps, "report">;
  readonly command: RestoreCommand;
  readonly content: RestoreContent;
  readonly signal: AbortSignal;
}

/**
 * Finds the wanted messages of each queue, before anything else is done with them: what is asked of every message is asked here, and
 * all numbers of a plan are exact. Reads the segments of the range; nothing when neither a selection nor an origin is asked for. Throws as `segments` and
 * `matches`, and NO_MESSAGE_SELECTED.
 */
export async function chooseMessages(
  context: ChoosingContext,
  found: RestoreTargets,
): Promise<RestoreTargets> {
  const { deps, command, content } = context;
  const selective = isSelective(command);
  if (!(selective || command.toOrigin) || found.targets.length === 0) return found;
  const targets: RestoreTarget[] = [];
  for (const target of found.targets) {
    const { source } = target;
    const { choice, tally } = await choose(context, target);
    const { count: messages, bodyBytes } = choice;
    deps.report({ kind: "selected", source, messages, of: messagesOf(source) });
    targets.push({ ...target, choice: selective ? choice : null, tally, messages, bodyBytes });
  }
  if (!selective) return { ...found, targets };
  const [some] = targets.filter(({ messages }) => messages > 0);
  if (some !== undefined) {
    return {
      ...found,
      targets: targets.filter(({ messages }) => messages > 0),
      unselected: targets.flatMap(({ source, messages }) => (messages > 0 ? [] : [source])),
    };
  }
  const { id } = content.manifest;
  throw new BackupError(
    "NO_MESSAGE_SELECTED",
    `${describeSelection(command)} selects no message of backup ${id}`,
    {
      hint: `Try it with: mqbackup cat ${id}.`,
    },
  );
}

async function choose(
  { command: { range, filter, toOrigin }, content, signal }: ChoosingContext,
  { source }: RestoreTarget,
): Promise<{ readonly choice: MessageChoice; readonly tally: OriginTally | null }> {
  const choice = new MessageChoice(messagesOf(source));
  const tally = toOrigin ? new OriginTally() : null;
  for await (const segment of content.segmentsBetween(source, range, { signal })) {
    signal.throwIfAborted();
    let { sequence } = segment;
    for (const record of segment.records) {
      const placed = { queue: source, sequence, record };
      if (filter === null || filter.matches(placed)) {
        choice.add(sequence, record.body.length);
        tally?.take(sequence, record);
      }
      sequence += 1;
    }
    segment.release();
  }
  return { choice, tally };
}
