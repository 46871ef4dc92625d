import type { BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Finding } from "../domain/findings.ts";
import type { Manifest, QueueEntry } from "../domain/manifest.ts";
import { describeQueue } from "../domain/queue.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { MANIFEST_NAME } from "../repository/backup-folder.ts";
import { readManifest } from "../repository/catalog.ts";
import { segmentRuns } from "../repository/content-reader.ts";

/**
 * What a backup leaves to others to hold must be held by them. Their segments are looked at when they themselves are verified.
 */
export async function verifyKept(
  store: Pick<Store, "get">,
  manifest: Manifest,
  found: (finding: Finding) => void,
  options: Abortable,
): Promise<void> {
  const manifests = new Map<BackupId, Promise<Manifest>>();
  const manifestOf = async (id: BackupId): Promise<Manifest> => {
    const known = manifests.get(id) ?? readManifest(store, id, options);
    manifests.set(id, known);
    return known;
  };
  for (const queue of manifest.queues) {
    if (!queue.content.some(({ kind }) => kind === "kept")) continue;
    const verdict = await verifyContent(manifest, queue, manifestOf);
    if (verdict !== null) {
      const { vhost, name } = queue;
      const where = { backup: manifest.id, file: MANIFEST_NAME, queue: { vhost, name }, segment: null };
      found({ ...where, ...verdict });
    }
  }
}

async function verifyContent(
  manifest: Manifest,
  queue: QueueEntry,
  manifestOf: (id: BackupId) => Promise<Manifest>,
): Promise<Pick<Finding, "severity" | "code" | "message"> | null> {
  let messages = 0;
  try {
    for await (const { count } of segmentRuns(manifest, queue, 0, manifestOf)) messages += count;
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    const message = `${describeQueue(queue)} needs what another backup holds: ${error.message}`;
    if (hasCode(error, "OBJECT_MISSING", "MANIFEST_DAMAGED", "ARCHIVE_DAMAGED")) {
      return { severity: "damage", code: "KEPT_MISSING", message };
    }
    if (hasCode(error, "FORMAT_NEWER", "TARGET_FAILED", "TARGET_REFUSED")) {
      return { severity: "unverified", code: "UNREADABLE", message };
    }
    throw error;
  }
  if (messages === queue.messages) return null;
  const message = `${describeQueue(queue)} has ${queue.messages} messages, ${messages} are to be had`;
  return { severity: "damage", code: "KEPT_MISSING", message };
}
