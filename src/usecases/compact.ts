import { begunAt, parseBackupId, type BackupId } from "../domain/backup-id.ts";
import { BackupError } from "../domain/errors.ts";
import { FORMAT, type DefinitionsEntry, type Manifest, type QueueEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import { readDefinitions } from "../repository/archive-reader.ts";
import type { ArchiveWriter } from "../repository/archive-writer.ts";
import { openCatalog, type Catalog } from "../repository/catalog.ts";
import { contentFingerprints } from "../repository/content-fingerprints.ts";
import type { IndexWriter } from "../repository/index-writer.ts";
import { BackupSealing } from "./backup-sealing.ts";
import { keepBase } from "./base-keeping.ts";
import { CheckedFingerprints } from "./checked-fingerprints.ts";
import { compactPlan } from "./compact-plan.ts";
import { compactQueue } from "./compact-queue.ts";
import type { CompactDeps, CompactRequest, CompactResult } from "./compact-types.ts";
import { bringUp } from "./bring-up.ts";
import { NewArchive } from "./new-archive.ts";
import { RestoreContent } from "./restore-content.ts";
import { rosterFor, type Roster } from "./roster.ts";
import { Targets } from "./targets.ts";
import { withLease, type Held } from "./with-lease.ts";

/**
 * Makes a full backup of an incremental from what is stored, without the broker, so that the backups it needs may go. The new one has
 * the same content and the same facts, and stands right behind it in time. Every message is compared with its fingerprint on the way;
 * whatever fails leaves nothing at the targets.
 * Throws LEASE_HELD, BACKUP_MISSING (also when a target does not have it), BACKUP_AMBIGUOUS, USAGE (it is a full one), ARCHIVE_DAMAGED,
 * OBJECT_MISSING, MANIFEST_DAMAGED, FORMAT_NEWER, TARGET_*.
 */
export async function compact(
  deps: CompactDeps,
  request: CompactRequest,
  signal: AbortSignal,
): Promise<CompactResult> {
  const { roster, later } = rosterFor(deps, deps.stores, request.durability);
  const found = await find(deps, roster, request.backup, { signal });
  if (request.dryRun)
    return { ...(await planOf(found, { signal })), manifest: null, warnings: [], targets: [] };
  const { id, set } = found.source;
  const { breakLease } = request;
  const wish = { stores: roster.standing, set, command: "compact", breakLease, dispensing: roster };
  const done = await withLease(deps, wish, signal, async (held) => {
    // Nobody adds to the set or removes from it any more.
    const kept = await find(deps, roster, id, held);
    const plan = await planOf(kept, held);
    return { ...plan, ...(await write(deps, request, roster, kept, held)) };
  });
  const made = [parseBackupId(done.manifest.id)];
  const others = await bringUp({ ...deps, source: deps.stores[0] }, later, made, signal);
  return { ...done, targets: [...roster.outcomes(), ...others] };
}

interface Found {
  readonly catalog: Catalog;
  readonly source: Manifest;
}

/** At the first target that counts; the others must have this very backup, or are given up. */
async function find(deps: CompactDeps, roster: Roster, backup: string, options: Abortable): Promise<Found> {
  const { store: first, ...found } = await roster.withFirst(async (store) => {
    const catalog = await openCatalog(deps.reading.of(store), options);
    const stored = await catalog.storedManifest(await catalog.resolve(backup, options), options);
    return { store, catalog, source: stored.manifest, seal: stored.seal };
  });
  const { source, seal } = found;
  refuseFull(source);
  refuseBare(source, deps);
  for (const store of roster.standing.filter((each) => each !== first)) {
    try {
      await requireSame(await openCatalog(store, options), parseBackupId(source.id), seal, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      roster.giveUp(store, error);
    }
  }
  return found;
}

async function planOf({ catalog, source }: Found, options: Abortable) {
  return compactPlan(source, async (holder, neededBy) =>
    catalog.storedManifest(holder, { ...options, neededBy }),
  );
}

function refuseFull({ id, kind }: Manifest): void {
  if (kind === "incremental") return;
  throw new BackupError(
    "USAGE",
    `backup ${id} is a full one: it needs no other, there is nothing to compact`,
    {
      hint: "Name an incremental backup; mqbackup list shows what there is.",
    },
  );
}

function refuseBare({ id, encryption }: Manifest, deps: CompactDeps): void {
  if (encryption === undefined || deps.encryption !== null) return;
  throw new BackupError("USAGE", `backup ${id} is encrypted, and what is made of it would not be`, {
    hint: "Say who may read it with --recipient.",
  });
}

/** What is made of the first target's backup goes to the others as well: they must have this very backup. */
async function requireSame(catalog: Catalog, id: BackupId, seal: string, options: Abortable): Promise<void> {
  if ((await catalog.storedManifest(id, options)).seal === seal) return;
  throw new BackupError(
    "BACKUP_MISSING",
    `what is called ${id} at ${catalog.store.location} is another backup`,
    {
      hint: "Compact one target at a time.",
    },
  );
}

async function write(
  deps: CompactDeps,
  request: CompactRequest,
  roster: Roster,
  { catalog, source }: Found,
  held: Held,
): Promise<{ readonly manifest: Manifest; readonly warnings: readonly string[] }> {
  const { signal } = held;
  // One second behind it: whoever takes the newest of that time takes the one that needs no other.
  const now = new Date(begunAt(parseBackupId(source.id)).getTime() + 1000);
  const claim = { kind: "full", base: null, now } as const;
  await using targets = await Targets.claim(deps, roster, claim, signal);
  deps.report({ kind: "begun", id: targets.id });
  const { volumeBytes, spoolMaxBytes } = request;
  const sealing = await BackupSealing.begin(deps.encryption, { signal });
  const modifiedAt = new Date(source.startedAt);
  await using made = new NewArchive(deps, {
    targets,
    volumeBytes,
    spoolMaxBytes,
    modifiedAt,
    sealing,
    signal,
  });
  const { archive, index } = made;
  const copied = await copyAll(deps, request, { catalog, source, archive, index, signal });
  const files = await made.finish();
  const { needs: _, encryption: _encryption, stored: _stored, ...facts } = source;
  const manifest: Manifest = {
    ...facts,
    ...copied,
    format: FORMAT,
    tool: request.tool,
    id: targets.id,
    kind: "full",
    base: null,
    compactedFrom: source.id,
    ...files,
    measures: {
      ...source.measures,
      plainBytes: plainBytesOf(copied.queues),
      storedBytes: made.storedBytes,
      targetBytes: await targets.totalBytes(signal),
    },
  };
  await targets.requireWhole(signal);
  await held.assertHeld();
  const { sealed, opened } = made.seal(manifest);
  await targets.commit(sealed, (location) => deps.report({ kind: "committed", id: targets.id, location }));
  return { manifest: opened, warnings: await keepBase(deps, opened, made.plainIndex) };
}

interface Copying {
  readonly catalog: Catalog;
  readonly source: Manifest;
  readonly archive: ArchiveWriter;
  readonly index: IndexWriter;
  readonly signal: AbortSignal;
}

async function copyAll(
  deps: CompactDeps,
  { segmentBytes }: CompactRequest,
  { catalog, source, archive, index, signal }: Copying,
): Promise<Pick<Manifest, "definitions" | "queues">> {
  const from = { store: catalog.store, codec: deps.codec };
  const options = { signal };
  const definitions: DefinitionsEntry[] = [];
  for (const entry of source.definitions) {
    definitions.push(await archive.addDefinitions(await readDefinitions(from, source, entry, options)));
  }
  const content = new RestoreContent(from, catalog, source, options);
  const report: CompactDeps["report"] = (event) => deps.report(event);
  const queues: QueueEntry[] = [];
  for (const queue of source.queues) {
    const expected = contentFingerprints(from, source, queue, content.manifestOf, options);
    await using checked = new CheckedFingerprints(queue, expected);
    queues.push(
      await compactQueue({ content, archive, index, segmentBytes, report, signal }, queue, checked),
    );
  }
  return { definitions, queues };
}

function plainBytesOf(queues: readonly QueueEntry[]): number {
  return queues.reduce(
    (sum, { segments }) => sum + segments.reduce((of, { plainBytes }) => of + plainBytes, 0),
    0,
  );
}
