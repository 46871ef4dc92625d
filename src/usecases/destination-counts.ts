import type { DestinationState } from "../domain/destination-state.ts";
import type { RestoreJournal } from "../domain/restore-journal.ts";

/**
 * A quorum queue without a leader says that it is empty, and one whose node has just come back counts only what it has applied of its
 * log so far. What hangs on the count is large: restoring into a queue that is not empty, sending messages twice.
 */
const ASK_AGAIN_MS = 500;
const PATIENCE_MS = 10_000;

type Found = DestinationState["found"];

/**
 * Counts that may lack something are asked for again until two in a row agree and hold at least what was confirmed, or the patience
 * ends. All are waited for together.
 */
export async function settledCounts(
  states: readonly DestinationState[],
  askAgain: (index: number) => Promise<Found>,
  clock: { now(): Date; sleep(ms: number, signal: AbortSignal): Promise<void> },
  signal: AbortSignal,
): Promise<DestinationState[]> {
  const settled = [...states];
  const deadline = clock.now().getTime() + PATIENCE_MS;
  let doubtful = [...settled.keys()].filter((index) => isDoubtful(settled[index]));
  while (doubtful.length > 0 && clock.now().getTime() < deadline) {
    await clock.sleep(ASK_AGAIN_MS, signal);
    const still: number[] = [];
    for (const index of doubtful) {
      const before = settled[index];
      if (before === undefined) continue;
      const now = { ...before, found: await askAgain(index) };
      settled[index] = now;
      if (!agree(before.found, now.found) || isShort(now)) still.push(index);
    }
    doubtful = still;
  }
  return settled;
}

function isDoubtful(state: DestinationState | undefined): boolean {
  if (!state?.found) return false;
  const mayBeQuorum = state.info === null || !["classic", "stream"].includes(state.info.type);
  const { ready, consumers } = state.found;
  return mayBeQuorum && ((ready === 0 && consumers === 0) || isOpen(state.journal));
}

function isShort({ found, journal }: DestinationState): boolean {
  return isOpen(journal) && found !== null && found.ready < journal.initial + journal.confirmed;
}

function isOpen(journal: RestoreJournal | null): journal is RestoreJournal {
  return journal !== null && !journal.finished;
}

function agree(a: Found, b: Found): boolean {
  return a?.ready === b?.ready && a?.consumers === b?.consumers;
}
