import { compareBackupIds } from "../domain/backup-id.ts";
import { hasCode } from "../domain/errors.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { QueueAddress } from "../domain/queue.ts";
import { ACCEPT_SPENT } from "../domain/delivery-limit.ts";
import type { ReadingVerdict } from "../domain/reading-recipe.ts";
import type { Store } from "../ports/store.ts";
import { committedIds } from "../repository/backup-folder.ts";
import { readManifest } from "../repository/manifest-reader.ts";
import type { BackupReading } from "./backup-reading.ts";

interface SpentDeps {
  readonly store: Store;
  readonly reading: BackupReading;
}

/**
 * A reading that stops because deliveries run out has cost one more of them: without this, a cron job would spend the last. Backups
 * already at the target tell how often that happened since the queue was last read wholly; after `keep - 1` times every message still
 * has one delivery, and the queue is not touched again until `--accept spent-deliveries`.
 */
export async function refuseSpent(
  deps: SpentDeps,
  verdicts: readonly ReadingVerdict[],
  accept: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly ReadingVerdict[]> {
  const open = new Map<string, { readonly keep: number; looks: number }>();
  for (const { queue, recipe } of verdicts) {
    if (recipe?.kind === "hold" && recipe.budget)
      open.set(keyOf(queue), { keep: recipe.budget.keep, looks: 0 });
  }
  if (open.size === 0 || accept.has(ACCEPT_SPENT)) return verdicts;
  const spent = new Set<string>();
  for await (const manifest of newestFirst(deps, signal)) {
    for (const entry of manifest.queues) {
      const looks = open.get(keyOf(entry));
      if (!looks || entry.outcome === "skipped") continue;
      if (entry.gaps.some(({ code }) => code === "DELIVERIES_SPENT")) looks.looks += 1;
      else open.delete(keyOf(entry));
      if (looks.looks < looks.keep - 1) continue;
      spent.add(keyOf(entry));
      open.delete(keyOf(entry));
    }
    if (open.size === 0) break;
  }
  return verdicts.map((verdict) => (spent.has(keyOf(verdict.queue)) ? refused(verdict) : verdict));
}

async function* newestFirst({ store, reading }: SpentDeps, signal: AbortSignal): AsyncGenerator<Manifest> {
  for (const id of (await committedIds(store, { signal })).toSorted(compareBackupIds).toReversed()) {
    try {
      const manifest = await readManifest(store, id, { signal });
      yield manifest.encryption?.namesHidden === true
        ? await readManifest(reading.of(store), id, { signal })
        : manifest;
    } catch (error) {
      // What cannot be read says nothing of the queue; verify names it.
      const isUnread = hasCode(
        error,
        "OBJECT_MISSING",
        "MANIFEST_DAMAGED",
        "ARCHIVE_DAMAGED",
        "FORMAT_NEWER",
      );
      if (!isUnread && !(reading.keyless && hasCode(error, "KEY_WRONG"))) throw error;
    }
  }
}

function refused(verdict: ReadingVerdict): ReadingVerdict {
  return {
    ...verdict,
    recipe: null,
    costs: [],
    danger: {
      code: "deliveries-spent",
      message:
        "earlier backups stopped because its messages had too few deliveries left; another look could delete one",
      hint: `Have the messages consumed; then, with new ones in it, read it again with --accept ${ACCEPT_SPENT}.`,
      flag: `--accept ${ACCEPT_SPENT}`,
    },
  };
}

function keyOf({ vhost, name }: QueueAddress): string {
  return JSON.stringify([vhost, name]);
}
