import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { StoredPart } from "../repository/stored-parts.ts";
import type { NeededFiles } from "./needed-files.ts";
import { judgeContent, judgeSize } from "./verify-file.ts";
import { listedSizes, reportFile, verifyPart, type PartsCheck } from "./verify-parts.ts";

/** Looks at what a backup needs of another, and at nothing else of that, as deep as the level says. `records` are of the other. */
export async function verifyNeeded(
  check: PartsCheck,
  { holder, files }: NeededFiles,
  options: Abortable,
): Promise<void> {
  const id = parseBackupId(holder.id);
  const sizes = await listedSizes(check.store, id, options);
  for (const stored of files) {
    const judged =
      stored.sealed && check.level.kind === "checksums"
        ? await judgeContent(scanOf(check, id), stored, options)
        : judgeSize(stored, sizes.get(stored.file.name) ?? null);
    reportFile(check, id, stored, judged);
    if (stored.sealed) continue;
    for (const [at, part] of stored.parts.entries()) {
      if (!isLookedAt(check, part) || at >= judged.seen) continue;
      const verdict = await verifyPart(check, id, stored.file, part, options);
      if (verdict !== null) check.findings.addIn(id, stored.file, part, verdict);
    }
  }
}

function scanOf(check: PartsCheck, id: BackupId): Parameters<typeof judgeContent>[0] {
  const { store } = check;
  return { store, id, onBytes: (bytes) => check.onBytes(bytes), onPart: async () => Promise.resolve() };
}

/** Of a sample the index is read as far as its segments need it. */
function isLookedAt(check: PartsCheck, { kind }: StoredPart): boolean {
  if (check.level.kind === "sample") return kind === "segment" && check.takes();
  return check.level.kind !== "quick";
}
