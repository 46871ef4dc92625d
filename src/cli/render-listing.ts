import { chainOf, ownLabel, parseBackupId } from "../domain/backup-id.ts";
import { backupTree, otherBase, type ChainBranch, type SetBranch } from "../domain/backup-tree.ts";
import { derivedOf } from "../domain/derived-measures.ts";
import type { HealthyBackup, Listing } from "../usecases/list.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatAge, formatBytes, formatCount, formatCounted, formatTime } from "./units.ts";

const COLUMNS = [
  { title: "ID" },
  { title: "FINISHED" },
  { title: "AGE", align: "right" },
  { title: "QUEUES", align: "right" },
  { title: "MESSAGES", align: "right" },
  { title: "BODIES", align: "right" },
  { title: "STORED", align: "right" },
  { title: "" },
] as const;

/** A tree: sets, in them the full backups, below each the incrementals of its chain. */
export function listingLines(listing: Listing, now: Date, paint: Paint): readonly string[] {
  const { backups, damaged, location } = listing;
  const tree = backupTree(backups);
  const rows = tree.map(({ chains }) => chains.flatMap((chain) => chainRows(chain, now)));
  const [title, ...lines] = formatTable(COLUMNS, rows.flat());
  const broken = damaged.map(
    ({ id, damage, marked }) =>
      `${paint("damaged", "red")} ${id}${marked ? " (marked)" : ""}: ${visible(damage.message)}`,
  );
  if (title === undefined && broken.length === 0) return [`no backups at ${visible(location)}`];
  let at = 0;
  const sets = tree.flatMap((set, nth) => {
    const own = lines.slice(at, (at += rows[nth]?.length ?? 0));
    return [...(nth === 0 ? [] : [""]), setLine(set, paint), ...own];
  });
  return [...(title === undefined ? [] : [paint(title, "dim"), ...sets]), ...broken];
}

function setLine({ set, chains }: SetBranch<HealthyBackup>, paint: Paint): string {
  const members = chains.flatMap(({ full, incrementals }) => [...(full ? [full] : []), ...incrementals]);
  const stored = members.reduce((sum, { measures }) => sum + measures.storedBytes, 0);
  const counted = `${formatCounted(members.length, "backup")} in ${formatCounted(chains.length, "chain")}`;
  return `${paint(`set ${visible(set)}`, "bold")}: ${counted}, ${formatBytes(stored)}`;
}

function chainRows({ chain, full, incrementals }: ChainBranch<HealthyBackup>, now: Date): string[][] {
  const top = full === null ? [`${chain} (not here)`] : rowOf(full, full.id, null, now);
  return [
    top,
    ...incrementals.map((backup, at) => {
      const branch = at === incrementals.length - 1 ? "└─" : "├─";
      const before = at === 0 ? full : (incrementals[at - 1] ?? null);
      return rowOf(backup, `${branch} ${ownLabel(parseBackupId(backup.id))}`, otherBase(backup, before), now);
    }),
  ];
}

function rowOf(backup: HealthyBackup, name: string, base: string | null, now: Date): string[] {
  const { finishedAt, queues, measures, drain, marked } = backup;
  const finished = new Date(finishedAt);
  return [
    name,
    formatTime(finished),
    formatAge(now.getTime() - finished.getTime()),
    formatCount(queues.complete + queues.partial + queues.skipped),
    formatCount(measures.messages),
    formatBytes(measures.bodyBytes),
    formatBytes(measures.storedBytes),
    [
      ...(marked ? ["marked"] : []),
      ...(base === null ? [] : [`on ${base}`]),
      ...(drain ? ["drained"] : []),
      ...(queues.partial === 0 ? [] : [`${queues.partial} partial`]),
      ...(queues.skipped === 0 ? [] : [`${queues.skipped} skipped`]),
    ].join(", "),
  ];
}

export function listingJson({ location, repositoryId, backups, damaged }: Listing, now: Date): unknown {
  return {
    location,
    repositoryId,
    backups: backups.map((backup) => backupJson(backup, now)),
    damaged: damaged.map(({ id, damage, marked }) => ({
      id,
      code: damage.code,
      message: damage.message,
      marked,
    })),
  };
}

function backupJson(backup: HealthyBackup, now: Date): unknown {
  const { id, kind, base, set, startedAt, finishedAt, drain, marked, broker, vhosts, queues, measures } =
    backup;
  const { encryption = null } = backup;
  return {
    id,
    kind,
    base,
    chain: chainOf(parseBackupId(id)),
    set,
    startedAt,
    finishedAt,
    ageMs: now.getTime() - new Date(finishedAt).getTime(),
    drain,
    marked,
    encryption,
    outcome: queues.partial + queues.skipped === 0 ? "complete" : "partial",
    clusterName: broker.clusterName,
    vhosts,
    queues,
    messages: measures.messages,
    bodyBytes: measures.bodyBytes,
    storedBytes: measures.storedBytes,
    measures: { ...measures, ...derivedOf(measures) },
  };
}
