import { BackupError } from "../domain/errors.ts";
import { readRepository } from "../repository/repository-document.ts";
import { copyTo } from "./copy-destination.ts";
import { readSources } from "./copy-source.ts";
import type { CopiedTo, CopyDeps, CopyRequest, CopyResult } from "./copy-types.ts";

/**
 * Brings each destination up to the source: what backups lack there is put, what is not as it was stored is replaced, nothing is
 * removed. Each backup comes after those it needs and begins to exist with its manifest, put last: so all that are listed at a
 * destination restore there, wherever it is broken off. A destination that fails does not keep the others from it.
 * Throws REPOSITORY_MISSING, BACKUP_MISSING, BACKUP_AMBIGUOUS, FORMAT_NEWER, MANIFEST_DAMAGED, TARGET_* of the source: then nothing
 * was copied.
 */
export async function copy(deps: CopyDeps, request: CopyRequest, signal: AbortSignal): Promise<CopyResult> {
  await readRepository(deps.source, { signal });
  const { backups, unusable } = await readSources(deps.source, request.backups, { signal });
  const destinations: CopiedTo[] = [];
  for (const destination of deps.destinations) {
    destinations.push(
      signal.aborted
        ? { location: destination.location, backups: [], failure: interrupted(signal) }
        : await copyTo(deps, destination, backups, request, signal),
    );
  }
  return { source: deps.source.location, dryRun: request.dryRun, unusable, destinations };
}

function interrupted({ reason }: AbortSignal): BackupError {
  return reason instanceof BackupError ? reason : new BackupError("INTERRUPTED", "interrupted");
}
