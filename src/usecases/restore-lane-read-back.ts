import { BackupError } from "../domain/errors.ts";
import { describeQueue, type QueueAddress } from "../domain/queue.ts";
import { barelyKnown, readBack } from "./read-back.ts";
import { failureOf, type Execution, type OneRestored } from "./restore-one.ts";
import { writerOf } from "./restore-preparation.ts";
import type { ReadBack, RestoredQueue } from "./restore-types.ts";

/** Reads back what was restored into one queue, of one source or several, and says what that means for the last of them. */
export async function readLaneBack(
  { deps, command, prepared, signal }: Execution,
  lane: readonly OneRestored[],
): Promise<Partial<RestoredQueue>> {
  const [first] = lane;
  if (first === undefined) return {};
  const { plan, initial } = first;
  const { destination, source, route } = plan;
  const { vhost, name } = destination;
  try {
    const info = (await deps.directory?.queue(vhost, name, { signal })) ?? null;
    const compared = await readBack(
      deps,
      command.reading,
      {
        queue: info ?? barelyKnown(destination, source),
        broker: writerOf(prepared.writers, plan).broker,
        before: initial,
        parts: lane.map((one) => one.plan),
        rules: { ...command, ...plan.edits, route, queueName: name },
        content: prepared.content,
      },
      signal,
    );
    return { readBack: compared, ...judged(compared, destination) };
  } catch (error) {
    if (!(error instanceof BackupError) && !signal.aborted) throw error;
    return { failure: failureOf(error, plan, signal) };
  }
}

function judged(compared: ReadBack, destination: QueueAddress): Partial<RestoredQueue> {
  if (compared.kind !== "differs") return {};
  const what = `${describeQueue(destination)} read back is not what was restored: ${difference(compared)}`;
  return {
    outcome: "failed",
    failure: new BackupError("READ_BACK_DIFFERS", what, {
      hint: "Others may have published to it or taken from it; otherwise do not rely on this restore.",
    }),
  };
}

function difference({ sequence, part }: Extract<ReadBack, { kind: "differs" }>): string {
  switch (part) {
    case "missing":
      return `it ends before message ${sequence + 1}`;
    case "extra":
      return `it holds more than the ${sequence} messages restored`;
    default:
      return `the ${part} of message ${sequence + 1} differs`;
  }
}
