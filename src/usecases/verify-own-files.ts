import { parseBackupId, type BackupId } from "../domain/backup-id.ts";
import type { Manifest, VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import { backupKey, MANIFEST_NAME } from "../repository/backup-folder.ts";
import { readObjectOrNull } from "../repository/objects.ts";
import type { StoredPart } from "../repository/stored-parts.ts";
import { judgeContent, judgeSize, storedFiles, type FileVerdict, type StoredFile } from "./verify-file.ts";
import { listedSizes, reportFile, sumVerdict, verifyPart, type PartsCheck } from "./verify-parts.ts";
import { NOWHERE } from "./verify-verdict.ts";

/** Looks at the files a backup's manifest names, as deep as the level says. False: the backup was removed meanwhile. */
export async function verifyOwnFiles(
  check: PartsCheck,
  manifest: Manifest,
  /** Sizes of the files in the backup's folder, by name. */
  sizes: ReadonlyMap<string, number>,
  options: Abortable,
): Promise<boolean> {
  return new OwnFilesVerification(check, manifest, sizes, options).run();
}

class OwnFilesVerification {
  readonly #check: PartsCheck;
  readonly #manifest: Manifest;
  readonly #options: Abortable;
  readonly #id: BackupId;
  #sizes: ReadonlyMap<string, number>;
  #listedAgain = false;

  constructor(check: PartsCheck, manifest: Manifest, sizes: ReadonlyMap<string, number>, options: Abortable) {
    this.#check = check;
    this.#manifest = manifest;
    this.#options = options;
    this.#id = parseBackupId(manifest.id);
    this.#sizes = sizes;
  }

  async run(): Promise<boolean> {
    for (const stored of storedFiles(this.#manifest)) {
      const judged = await this.#judge(stored);
      if (judged.verdict?.code === stored.missing && (await this.#isRemoved())) return false;
      reportFile(this.#check, this.#id, stored, judged);
      if (this.#check.level.kind === "sample" && !(await this.#readSample(stored, judged.seen))) return false;
    }
    return true;
  }

  async #judge(stored: StoredFile): Promise<FileVerdict> {
    switch (this.#check.level.kind) {
      case "quick":
      case "sample":
        return this.#judgeListed(stored);
      case "checksums":
        return this.#judgeSum(stored);
      case "records":
        return this.#scan(stored, async (part, frames) => this.#look(stored.file, part, frames));
    }
  }

  /** What does not fit may have been listed while it came or went: it is listed once more. */
  async #judgeListed(stored: StoredFile): Promise<FileVerdict> {
    const judged = judgeSize(stored, this.#sizes.get(stored.file.name) ?? null);
    if (judged.verdict === null || this.#listedAgain) return judged;
    this.#sizes = await listedSizes(this.#check.store, this.#id, this.#options);
    this.#listedAgain = true;
    return judgeSize(stored, this.#sizes.get(stored.file.name) ?? null);
  }

  /** A file that does not match is read again, to find the parts that do not. */
  async #judgeSum(stored: StoredFile): Promise<FileVerdict> {
    const judged = await this.#scan(stored, async () => Promise.resolve());
    if (judged.verdict?.code !== stored.damaged || stored.sealed) return judged;
    const { seen } = await judgeContent(
      {
        store: this.#check.store,
        id: this.#id,
        onBytes: () => undefined,
        onPart: async (part, frames) => {
          const verdict = sumVerdict(part, frames);
          if (verdict !== null) this.#check.findings.addIn(this.#id, stored.file, part, verdict);
          return Promise.resolve();
        },
      },
      stored,
      this.#options,
    );
    return { ...judged, seen };
  }

  #scan(
    stored: StoredFile,
    onPart: (part: StoredPart, frames: Uint8Array) => Promise<void>,
  ): Promise<FileVerdict> {
    const { store } = this.#check;
    const onBytes = (bytes: number): void => this.#check.onBytes(bytes);
    return judgeContent({ store, id: this.#id, onBytes, onPart }, stored, this.#options);
  }

  async #look(file: VolumeEntry, part: StoredPart, frames: Uint8Array): Promise<void> {
    const verdict = await this.#check.records.look(part, frames);
    if (verdict !== null) this.#check.findings.addIn(this.#id, file, part, verdict);
  }

  /** `seen`: the first so many parts are there. False: the backup was removed meanwhile. */
  async #readSample({ file, parts }: StoredFile, seen: number): Promise<boolean> {
    for (const [at, part] of parts.entries()) {
      if (part.kind !== "segment" || !this.#check.takes() || at >= seen) continue;
      const verdict = await verifyPart(this.#check, this.#id, file, part, this.#options);
      if (verdict === null) continue;
      if (await this.#isRemoved()) return false;
      this.#check.findings.addIn(this.#id, file, part, verdict);
    }
    return true;
  }

  async #isRemoved(): Promise<boolean> {
    const key = backupKey(this.#id, MANIFEST_NAME);
    if ((await readObjectOrNull(this.#check.store, key, this.#options)) !== null) return false;
    const message = `backup ${this.#id} was removed while verify was running`;
    const where = { ...NOWHERE, backup: this.#id };
    this.#check.findings.add({ ...where, severity: "note", code: "REMOVED_MEANWHILE", message });
    return true;
  }
}
