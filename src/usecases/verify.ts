import { compareBackupIds, parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import type { Finding } from "../domain/findings.ts";
import { isSealed, storedBytesOf, type Manifest } from "../domain/manifest.ts";
import { RandomSample } from "../domain/random-sample.ts";
import type { VerifyLevel } from "../domain/verify-level.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { SegmentCodec } from "../ports/segment-codec.ts";
import type { Store } from "../ports/store.ts";
import { readFolders, type BackupFolder } from "../repository/backup-folder.ts";
import { resolveBackup } from "../repository/catalog.ts";
import { readRepository } from "../repository/repository-document.ts";
import { LostSegments } from "./lost-segments.ts";
import { ManifestCache } from "./manifest-cache.ts";
import { neededFiles, type NeededFiles } from "./needed-files.ts";
import { segmentsToVerify, verifyBackup, type VerifiedBackup } from "./verify-backup.ts";
import { findKeyMissing, findStrays, manifestVerdict, notCommitted } from "./verify-folder.ts";
import { NOWHERE } from "./verify-verdict.ts";

export interface VerifyDeps {
  readonly store: Store;
  readonly codec: Pick<SegmentCodec, "open">;
  /** From 0 to below 1, every number as likely as any other. */
  random(): number;
  report?(event: VerifyEvent): void;
}

export interface VerifyRequest {
  /** An id, the beginning of one, or "latest"; null: all backups, and what belongs to none. */
  readonly backup: string | null;
  readonly level: VerifyLevel;
}

export type VerifyEvent =
  /** `bytes`: how many will be read; null: chance decides. */
  | { readonly kind: "backup-opened"; readonly id: BackupId; readonly bytes: number | null }
  | { readonly kind: "bytes-read"; readonly id: BackupId; readonly bytes: number }
  | { readonly kind: "found"; readonly finding: Finding }
  | { readonly kind: "backup-verified"; readonly backup: VerifiedBackup };

export interface VerifyResult {
  readonly level: VerifyLevel;
  /** Those whose manifest could be read, oldest first. */
  readonly backups: readonly VerifiedBackup[];
  readonly findings: readonly Finding[];
}

/**
 * Compares what is stored with what was stored, as deep as is asked for; changes nothing. One backup alone is looked at with what it
 * needs of others. Memory: a few segments, whatever there is to read.
 * Of a store that is not opened, encrypted backups can be compared as they are stored and no deeper.
 * Throws KEY_WRONG (no key opens a backup, or the level needs one), REPOSITORY_MISSING, BACKUP_MISSING, BACKUP_AMBIGUOUS, TARGET_MISSING, and what keeps it from listing; all else is a finding.
 */
export async function verify(
  deps: VerifyDeps,
  request: VerifyRequest,
  signal?: AbortSignal,
): Promise<VerifyResult> {
  return new Verification(deps, request, signal === undefined ? {} : { signal }).run();
}

class Verification {
  readonly #deps: VerifyDeps;
  readonly #request: VerifyRequest;
  readonly #options: Abortable;
  readonly #manifests: ManifestCache;
  readonly #lost = new LostSegments();
  readonly #folders = new Map<BackupId, BackupFolder>();
  readonly #visited = new Set<BackupId>();
  readonly #findings: Finding[] = [];
  readonly #backups: VerifiedBackup[] = [];
  #sample = new RandomSample(0, 0, () => 0);

  constructor(deps: VerifyDeps, request: VerifyRequest, options: Abortable) {
    this.#deps = deps;
    this.#request = request;
    this.#options = options;
    this.#manifests = new ManifestCache(deps.store, options);
  }

  async run(): Promise<VerifyResult> {
    const { backup: asked, level } = this.#request;
    for await (const folder of readFolders(this.#deps.store, this.#options))
      this.#folders.set(folder.id, folder);
    await this.#verifyRepository();
    if (asked === null) {
      const ids = [...this.#folders.keys()].toSorted(compareBackupIds);
      if (level.kind === "sample") this.#draw(level.part, await this.#countSegments(ids));
      for (const id of ids) await this.#visit(id);
    } else {
      const id = await resolveBackup(this.#deps.store, asked, this.#options);
      await this.#visitAlone(this.#folders.get(id) ?? { id, committed: true, objects: [] });
    }
    return {
      level,
      backups: this.#backups.toSorted((a, b) => compareBackupIds(a.id, b.id)),
      findings: this.#findings,
    };
  }

  /** Those that hold parts of it first, so that what is lost there is known here. */
  async #visit(id: BackupId): Promise<void> {
    const folder = this.#folders.get(id);
    if (folder === undefined || this.#visited.has(id)) return;
    this.#visited.add(id);
    if (!folder.committed) {
      this.#found(notCommitted(folder));
      return;
    }
    const manifest = await this.#readOrFind(id);
    if (manifest === null) return;
    for (const holder of holdersOf(manifest)) await this.#visit(holder);
    await this.#verify(folder, manifest, null);
  }

  async #visitAlone(folder: BackupFolder): Promise<void> {
    const manifest = await this.#readOrFind(folder.id);
    if (manifest === null) return;
    const needed = await neededFiles(manifest, async (id, by) => this.#manifests.get(id, by));
    const { level } = this.#request;
    if (level.kind === "sample") this.#draw(level.part, segmentsToVerify(manifest, needed));
    await this.#verify(folder, manifest, needed);
  }

  async #verify(
    folder: BackupFolder,
    manifest: Manifest,
    needed: readonly NeededFiles[] | null,
  ): Promise<void> {
    const { store, codec } = this.#deps;
    const { id } = folder;
    const { level } = this.#request;
    findStrays(manifest, folder, (finding) => this.#found(finding));
    findKeyMissing(manifest, folder, (finding) => this.#found(finding));
    this.#deps.report?.({ kind: "backup-opened", id, bytes: bytesToRead(level, manifest, needed ?? []) });
    const backup = await verifyBackup(
      {
        store,
        codec,
        level,
        lost: this.#lost,
        manifestOf: async (holder, by) => this.#manifests.get(holder, by),
        takes: () => this.#sample.takes(),
        found: (finding) => this.#found(finding),
        onBytes: (bytes) => this.#deps.report?.({ kind: "bytes-read", id, bytes }),
      },
      { manifest, sizes: new Map(folder.objects.map(({ name, bytes }) => [name, bytes])), needed },
      this.#options,
    );
    this.#backups.push(backup);
    this.#deps.report?.({ kind: "backup-verified", backup });
  }

  /** null: found instead, or gone since the listing. */
  async #readOrFind(id: BackupId): Promise<Manifest | null> {
    try {
      const { manifest } = await this.#manifests.get(id);
      requireDepth(manifest, this.#request.level);
      return manifest;
    } catch (error) {
      this.#found({ ...manifestVerdict(error), backup: id });
      return null;
    }
  }

  #draw(part: number, segments: number): void {
    this.#sample = new RandomSample(segments, part, () => this.#deps.random());
  }

  /** Of all backups that can be read. */
  async #countSegments(ids: readonly BackupId[]): Promise<number> {
    let segments = 0;
    for (const id of ids) {
      if (this.#folders.get(id)?.committed !== true) continue;
      try {
        segments += segmentsToVerify((await this.#manifests.get(id)).manifest, []);
      } catch (error) {
        manifestVerdict(error); // told when it is its turn
      }
    }
    return segments;
  }

  /** A repository without its document but with backups is damaged; without both it is none. */
  async #verifyRepository(): Promise<void> {
    const { store } = this.#deps;
    try {
      await readRepository(store, this.#options);
    } catch (error) {
      const where = { ...NOWHERE, severity: "damage", code: "REPOSITORY_DAMAGED" } as const;
      if (hasCode(error, "MANIFEST_DAMAGED")) {
        this.#found({ ...where, message: error.message });
      } else if (hasCode(error, "REPOSITORY_MISSING") && [...this.#folders.values()].some(isCommitted)) {
        this.#found({ ...where, message: `the document of the repository at ${store.location} is missing` });
      } else {
        throw error;
      }
    }
  }

  #found(finding: Finding): void {
    this.#findings.push(finding);
    this.#deps.report?.({ kind: "found", finding });
  }
}

function requireDepth(manifest: Manifest, { kind }: VerifyLevel): void {
  if (!isSealed(manifest) || kind === "quick" || kind === "checksums") return;
  throw new BackupError(
    "KEY_WRONG",
    `backup ${manifest.id} is encrypted: its messages are looked at with a key`,
    {
      hint: "Give the identity of one of its recipients, or its passphrase; or compare checksums alone.",
    },
  );
}

function isCommitted({ committed }: BackupFolder): boolean {
  return committed;
}

function holdersOf({ queues }: Manifest): ReadonlySet<BackupId> {
  const holders = new Set<string>();
  for (const { content } of queues) {
    for (const range of content) if (range.kind === "kept") holders.add(range.backup);
  }
  return new Set([...holders].map(parseBackupId));
}

function bytesToRead(level: VerifyLevel, manifest: Manifest, needed: readonly NeededFiles[]): number | null {
  if (level.kind === "quick") return 0;
  if (level.kind === "sample") return null;
  const parts = needed.flatMap(({ files }) => files.flatMap((file) => file.parts));
  return parts.reduce((sum, { length }) => sum + length, storedBytesOf(manifest));
}
