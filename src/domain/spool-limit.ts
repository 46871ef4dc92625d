/** The file system a spool is on. */
export interface SpoolDisk {
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** What is written there takes memory. */
  readonly inMemory: boolean;
}

export interface SpoolUse {
  /** Of finished volumes that wait for a target. */
  readonly waitingBytes: number;
  /** What the next volume may take. */
  readonly volumeBytes: number;
  /** null: what the disk allows. */
  readonly maxBytes: number | null;
}

/** A spool leaves a twentieth of its disk to others, at most so much. */
const RESERVE_PART = 0.05;
const RESERVE_BYTES = 4 * 2 ** 30;

/** What a spool may take, in volumes, where it takes memory or nothing is known of its disk. */
const FEW_VOLUMES = 3;

/**
 * Whether another volume may be begun, or has to wait until one has left the spool. With nothing to wait for it may: whether the disk
 * takes it shows when it is written.
 */
export function mayBegin({ waitingBytes, volumeBytes, maxBytes }: SpoolUse, disk: SpoolDisk | null): boolean {
  if (waitingBytes === 0) return true;
  const few = disk === null || disk.inMemory ? FEW_VOLUMES * volumeBytes : Number.POSITIVE_INFINITY;
  if (waitingBytes + volumeBytes > (maxBytes ?? few)) return false;
  if (disk === null) return true;
  const reserve = Math.min(RESERVE_BYTES, disk.totalBytes * RESERVE_PART);
  return disk.freeBytes - volumeBytes >= reserve;
}
