import { Buffer } from "node:buffer";
import {
  formatFullId,
  formatIncrementalId,
  ownLabel,
  parseBackupId,
  type BackupId,
} from "../domain/backup-id.ts";
import { outlineOf, type BackupOutline } from "../domain/backup-outline.ts";
import { BackupError, hasCode } from "../domain/errors.ts";
import { FORMAT, type Manifest } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import {
  backupKey,
  BEGUN_NAME,
  committedBackups,
  committedIds,
  folderPrefix,
  MANIFEST_NAME,
} from "./backup-folder.ts";
import type { StoredManifest } from "./backup-references.ts";
import { encodeManifest } from "./manifest-codec.ts";
import { readManifest, readStoredManifest } from "./manifest-reader.ts";
import { bytesBody, readObject, readObjectOrNull } from "./objects.ts";
import { OutlineScanner } from "./outline-scanner.ts";
import { ifAllowed } from "./removal.ts";
import { readOrCreateRepository, readRepository, type RepositoryDocument } from "./repository-document.ts";
import { encodeDocument } from "./sealed-document.ts";
import { requireManifest } from "./stored-check.ts";

/** A committed backup whose manifest cannot be used: MANIFEST_DAMAGED or FORMAT_NEWER. */
export interface DamagedManifest {
  readonly id: BackupId;
  readonly damage: BackupError;
}

/** One of a listing. Marked: no policy may remove it. */
export type ListedBackup = (BackupOutline | DamagedManifest) & { readonly marked: boolean };

export type ClaimRequest = { readonly now: Date } & (
  { readonly kind: "full"; readonly base: null } | { readonly kind: "incremental"; readonly base: BackupId }
);

/** Manifests read at once for a listing. */
const READ_AT_ONCE = 16;

/** How many seconds ahead a free id is looked for. */
const CLAIM_TRIES = 60;

/** Throws REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED. */
export async function openCatalog(store: Store, options: Abortable = {}): Promise<Catalog> {
  return new Catalog(store, await readRepository(store, options));
}

/** Opens the repository, or makes a new one where there is none. */
export async function createCatalog(
  store: Store,
  request: { readonly now: Date; readonly repositoryId: string },
  options: Abortable = {},
): Promise<Catalog> {
  return new Catalog(store, await readOrCreateRepository(store, request, options));
}

/** Throws as `readManifest`. What the scanner has doubts about is read again as a whole. */
async function readOutline(
  store: Pick<Store, "get">,
  id: BackupId,
  options: Abortable,
): Promise<BackupOutline> {
  const scanner = new OutlineScanner();
  for await (const part of store.get(backupKey(id, MANIFEST_NAME), options)) scanner.add(part);
  const outline = scanner.finish();
  return outline?.id === id ? outline : outlineOf(await readManifest(store, id, options));
}

/**
 * An id, the unambiguous beginning of one (or of its last part), or "latest". Throws BACKUP_MISSING, BACKUP_AMBIGUOUS.
 * The latest may be damaged: it is not for this function to choose an older one.
 */
export async function resolveBackup(
  store: Pick<Store, "keys" | "location">,
  text: string,
  options: Abortable = {},
): Promise<BackupId> {
  const ids = await committedIds(store, options);
  if (text === "latest") {
    const last = ids.at(-1);
    if (last === undefined) throw missing(`there is no backup at ${store.location} yet`);
    return last;
  }
  const exact = ids.find((id) => id === text);
  if (exact !== undefined) return exact;
  const matching = ids.filter((id) => id.startsWith(text) || ownLabel(id).startsWith(text));
  const [only] = matching;
  if (only === undefined || text === "") throw missing(`there is no backup ${text} at ${store.location}`);
  if (matching.length === 1) return only;
  throw new BackupError(
    "BACKUP_AMBIGUOUS",
    `${matching.length} backups begin with ${text}: ${matching.slice(0, 5).join(", ")}${matching.length > 5 ? ", ..." : ""}`,
    { hint: "Give more of the id." },
  );
}

/** All manifests at one target. */
export class Catalog {
  readonly store: Store;
  readonly repository: RepositoryDocument;
  readonly #own = new Set<string>();

  constructor(store: Store, repository: RepositoryDocument) {
    this.store = store;
    this.repository = repository;
  }

  /**
   * Reserves the id of a backup that begins now; of two in one second one gets the next second.
   * What is put under it is not a backup until `commit`.
   */
  async claim(request: ClaimRequest, options: Abortable = {}): Promise<BackupId> {
    for (let second = 0; second < CLAIM_TRIES; second += 1) {
      const at = new Date(request.now.getTime() + second * 1000);
      const id = request.kind === "full" ? formatFullId(at) : formatIncrementalId(request.base, at);
      if (await this.reserve(id, at, options)) return id;
    }
    throw new BackupError("LEASE_HELD", `no id is free at ${this.store.location} for a backup begun now`, {
      hint: "Something begins backups all the time; look who else writes to this target.",
    });
  }

  /** Takes this very id, as the second target of a backup needs it. False: it is taken. */
  async reserve(id: BackupId, now: Date, options: Abortable = {}): Promise<boolean> {
    const begun = encodeDocument({ format: FORMAT, id, begunAt: now.toISOString() });
    try {
      await this.store.put(backupKey(id, BEGUN_NAME), bytesBody(begun), { ...options, ifAbsent: true });
    } catch (error) {
      if (hasCode(error, "OBJECT_EXISTS")) return false;
      throw error;
    }
    try {
      // A backup of this id may have been committed, and its reservation removed, since.
      if (!(await this.#isCommitted(id, options))) {
        this.#own.add(id);
        return true;
      }
    } catch (error) {
      await this.store.delete(backupKey(id, BEGUN_NAME)).catch(() => undefined);
      throw error;
    }
    await ifAllowed(async () => this.store.delete(backupKey(id, BEGUN_NAME), options));
    return false;
  }

  /** Goes on with what another run has begun under this id; it is for the caller to know that nobody else does. */
  adopt(id: BackupId): void {
    this.#own.add(id);
  }

  /**
   * Makes the backup exist. Everything the manifest names must be durable at the store already. The manifest is read back: messages
   * may be removed because it is there. When it rejects, call `abandon`: the store may have taken it and failed to say so.
   */
  async commit(manifest: Manifest, options: Abortable = {}): Promise<void> {
    const id = this.#owned(manifest.id);
    const bytes = encodeManifest(manifest);
    const key = backupKey(id, MANIFEST_NAME);
    try {
      await this.store.put(key, bytesBody(bytes), { ...options, ifAbsent: true });
    } catch (error) {
      if (!hasCode(error, "OBJECT_EXISTS")) throw error;
      // A put that was tried again may find its own first attempt.
      const present = await readObject(this.store, key, options);
      if (!Buffer.from(present).equals(bytes)) {
        this.#own.delete(id);
        throw error;
      }
    }
    await requireManifest(this.store, key, bytes, options);
    this.#own.delete(id);
    // The reservation has no meaning any more; left behind, `verify` notes it.
    await this.store.delete(backupKey(id, BEGUN_NAME)).catch(() => undefined);
  }

  /**
   * Removes what a run that claimed this id has put, the manifest first, so that nothing is ever listed without its volumes.
   * No put under this id may be under way.
   */
  async abandon(backup: BackupId, options: Abortable = {}): Promise<void> {
    const id = this.#owned(backup);
    await this.store.delete(backupKey(id, MANIFEST_NAME), options);
    const keys: string[] = [];
    for await (const { key } of this.store.list(folderPrefix(id), options)) keys.push(key);
    const begun = backupKey(id, BEGUN_NAME);
    for (const key of keys) {
      if (key !== begun) await this.store.delete(key, options);
    }
    await this.store.delete(begun, options);
    this.#own.delete(id);
  }

  /** Throws BACKUP_MISSING, MANIFEST_DAMAGED, FORMAT_NEWER. */
  async manifest(id: BackupId, options: Abortable = {}): Promise<Manifest> {
    return (await this.storedManifest(id, options)).manifest;
  }

  /** See `readStoredManifest`. Throws as `manifest`. */
  async storedManifest(
    id: BackupId,
    options: Abortable & { readonly neededBy?: Manifest | null } = {},
  ): Promise<StoredManifest> {
    try {
      const { manifest, seal } = await readStoredManifest(this.store, id, options);
      return { manifest, seal };
    } catch (error) {
      if (!hasCode(error, "OBJECT_MISSING")) throw error;
      throw missing(`there is no backup ${id} at ${this.store.location}`, error);
    }
  }

  /** Every committed backup, oldest first. */
  async *list(options: Abortable = {}): AsyncGenerator<Manifest | DamagedManifest> {
    for (const id of await committedIds(this.store, options)) {
      const entry = await orDamage(id, async () => readManifest(this.store, id, options));
      if (entry !== null) yield entry;
    }
  }

  /**
   * What a listing tells of every committed backup, oldest first: several are read at once, and nothing that grows with their queues is
   * kept. Each has its checksum; what its queues hold is not looked at.
   */
  async outlines(options: Abortable = {}): Promise<readonly ListedBackup[]> {
    const backups = await committedBackups(this.store, options);
    const found: (ListedBackup | null)[] = backups.map(() => null);
    const waiting = backups.entries();
    let failed = false;
    const reader = async (): Promise<void> => {
      for (const [at, { id, marked }] of waiting) {
        if (failed) return;
        try {
          const entry = await orDamage(id, async () => readOutline(this.store, id, options));
          found[at] = entry && { ...entry, marked };
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: READ_AT_ONCE }, reader));
    return found.filter((entry) => entry !== null);
  }

  /** See `resolveBackup`. */
  resolve(text: string, options: Abortable = {}): Promise<BackupId> {
    return resolveBackup(this.store, text, options);
  }

  async #isCommitted(id: BackupId, options: Abortable): Promise<boolean> {
    return (await readObjectOrNull(this.store, backupKey(id, MANIFEST_NAME), options)) !== null;
  }

  #owned(id: string): BackupId {
    const parsed = parseBackupId(id);
    if (this.#own.has(parsed)) return parsed;
    throw new BackupError("INTERNAL", `backup ${id} was not claimed by this run`);
  }
}

/** null: removed since it was listed. */
async function orDamage<T>(id: BackupId, reading: () => Promise<T>): Promise<T | DamagedManifest | null> {
  try {
    return await reading();
  } catch (error) {
    if (hasCode(error, "OBJECT_MISSING")) return null;
    if (hasCode(error, "MANIFEST_DAMAGED", "FORMAT_NEWER")) return { id, damage: error };
    throw error;
  }
}

function missing(message: string, cause?: unknown): BackupError {
  return new BackupError("BACKUP_MISSING", message, {
    hint: "mqbackup list shows the backups there are.",
    ...(cause === undefined ? {} : { cause }),
  });
}
