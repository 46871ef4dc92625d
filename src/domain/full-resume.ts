import { begunAt, type BackupId } from "./backup-id.ts";
import type { Manifest } from "./manifest.ts";
import type { QueueAddress } from "./queue.ts";

/** As long as what an interrupted run has left is safe from those who remove what is left behind. */
const MOST_AGE_MS = 24 * 60 * 60 * 1000;

/** Whether a full backup begun then is recent enough to be gone on with. */
export function isRecent(startedAt: Date, now: Date): boolean {
  const age = now.getTime() - startedAt.getTime();
  return age >= 0 && age < MOST_AGE_MS;
}

/**
 * What `begun.json` may say of a backup that a run began then: where the id was looked for it says the second of the id, if another one
 * had to be tried, and at other targets the beginning.
 */
export function isBegunBy(text: string | null, backup: BackupId, startedAt: Date): boolean {
  if (text === null) return false;
  const time = Date.parse(text);
  const seconds = (begunAt(backup).getTime() - Math.floor(startedAt.getTime() / 1000) * 1000) / 1000;
  return time === startedAt.getTime() || time === startedAt.getTime() + seconds * 1000;
}

/** Queues keep the ordinals they have in what was stored; others come behind. */
export function ordinalsFor(
  queues: readonly QueueAddress[],
  known: readonly (QueueAddress & { readonly ordinal: number })[],
): readonly number[] {
  const ordinals = new Map(known.map((queue) => [addressKey(queue), queue.ordinal]));
  let last = Math.max(0, ...ordinals.values());
  return queues.map((queue) => ordinals.get(addressKey(queue)) ?? ++last);
}

/** Volumes, and what says where in them it lies. */
export type VolumeContents = Pick<Manifest, "queues" | "definitions" | "volumes">;

/** While a backup is made, its entries have the numbers in the names of volumes; in the manifest their places there. */
export function inPlaces(
  numbers: readonly number[],
  { queues, definitions, volumes }: VolumeContents,
): VolumeContents {
  const places = new Map(numbers.map((number, at) => [number, at + 1]));
  const placed = <T extends { readonly volume: number }>(entry: T): T => ({
    ...entry,
    volume: places.get(entry.volume) ?? 0,
  });
  return {
    queues: queues.map((queue) => ({ ...queue, segments: queue.segments.map(placed) })),
    definitions: definitions.map(placed),
    volumes,
  };
}

function addressKey({ vhost, name }: QueueAddress): string {
  return JSON.stringify([vhost, name]);
}
