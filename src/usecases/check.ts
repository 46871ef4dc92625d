import type { BackupError } from "../domain/errors.ts";
import type { ReadingVerdict } from "../domain/reading-recipe.ts";
import type { QueueReader } from "../ports/queue-reader.ts";
import { survey, type Survey, type SurveyDeps, type SurveyRequest } from "./survey.ts";

export interface CheckDeps extends SurveyDeps {
  readonly reader: Pick<QueueReader, "describe" | "access">;
}

export interface CheckedQueue extends ReadingVerdict {
  /** Why this user may not read it at all; null: it may. */
  readonly refusal: BackupError | null;
}

export interface CheckResult extends Omit<Survey, "verdicts"> {
  readonly queues: readonly CheckedQueue[];
}

/** Can this user read these queues safely, and what would each cost? Touches nothing. Throws as `survey`. */
export async function check(
  deps: CheckDeps,
  request: SurveyRequest,
  signal: AbortSignal,
): Promise<CheckResult> {
  const { verdicts, ...surveyed } = await survey(deps, request, signal);
  const queues: CheckedQueue[] = [];
  for (const vhost of new Set(verdicts.map((verdict) => verdict.queue.vhost))) {
    const here = verdicts.filter((verdict) => verdict.queue.vhost === vhost);
    const refusals = await deps.reader.access(
      vhost,
      here.filter((verdict) => verdict.recipe !== null).map((verdict) => verdict.queue.name),
      { signal },
    );
    queues.push(
      ...here.map((verdict) => ({ ...verdict, refusal: refusals.get(verdict.queue.name) ?? null })),
    );
  }
  return { ...surveyed, queues };
}
