import type { BackupId } from "../domain/backup-id.ts";
import type { BackupReference, Manifest } from "../domain/manifest.ts";
import { keptFrom } from "../domain/holdings.ts";
import { parseBackupId } from "../domain/backup-id.ts";
import { damaged } from "./sealed-document.ts";

/** A manifest, and what tells it from every other one that could lie in its place. */
export interface StoredManifest {
  readonly manifest: Manifest;
  readonly seal: string;
}

/**
 * Gives the manifest of a backup that another needs, and throws MANIFEST_DAMAGED when it is not the one that was built on.
 * `neededBy` null: whatever is there.
 */
export type ManifestOf = (id: BackupId, neededBy: Manifest | null) => Promise<StoredManifest>;

/** Manifests made before references were noted say nothing of it. */
export function isReferenced(neededBy: Manifest, { manifest, seal }: StoredManifest): boolean {
  const noted = neededBy.needs?.find(({ backup }) => backup === manifest.id);
  return noted === undefined || noted.sha256 === seal;
}

/** Throws MANIFEST_DAMAGED. */
export function requireReferenced(neededBy: Manifest, stored: StoredManifest, name: string): void {
  if (isReferenced(neededBy, stored)) return;
  throw damaged(name, `it is not the backup that ${neededBy.id} was built on`);
}

/** What an incremental notes of those it needs, oldest name first. Throws as `manifestOf`. */
export async function referencesOf(
  manifest: Pick<Manifest, "base" | "queues">,
  sealOf: (id: BackupId) => Promise<string>,
): Promise<readonly BackupReference[]> {
  const { base } = manifest;
  const ids = new Set([...(base === null ? [] : [base]), ...keptFrom(manifest).map(({ backup }) => backup)]);
  const references: BackupReference[] = [];
  for (const backup of [...ids].toSorted()) {
    references.push({ backup, sha256: await sealOf(parseBackupId(backup)) });
  }
  return references;
}
