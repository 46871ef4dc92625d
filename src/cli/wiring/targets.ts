import type { Patience } from "../../adapters/store/patience-watch.ts";
import type { UploadRate } from "../../adapters/store/upload-rate.ts";
import { isS3Target, parseS3Location } from "../../domain/s3-location.ts";
import { isSftpTarget, parseSftpLocation } from "../../domain/sftp-location.ts";
import type { Fallback, Store } from "../../ports/store.ts";
import { sleep } from "./run.ts";

export type OnFallback = (fallback: Fallback) => void;

/** `uploadRate`: bytes a second to each of them; null: as fast as it goes. */
export async function wireStores(
  targets: readonly string[],
  uploadRate: number | null = null,
): Promise<readonly [Store, ...Store[]]> {
  const [first = ".", ...others] = targets;
  const { withPatience } = await import("../../adapters/store/with-patience.ts");
  const patience = patienceFor(uploadRate);
  const open = async (target: string): Promise<Store> =>
    withPatience(await openStore(target, uploadRate), patience);
  return [await open(first), ...(await Promise.all(others.map(open)))];
}

/** The same without what opens archives: for documents. Each of the stores is read as `read` says. */
export async function wireCopies(
  targets: readonly string[],
  onFallback: OnFallback,
  read: (store: Store) => Store,
): Promise<Store> {
  const { withCopies } = await import("../../adapters/store/with-copies.ts");
  const [first, ...others] = await wireStores(targets);
  return withCopies([read(first), ...others.map(read)], onFallback);
}

/** By what the target's URL begins with; the clients of S3 and SFTP are loaded for those who use them. */
async function openStore(target: string, bytesPerSecond: number | null): Promise<Store> {
  const uploadRate = bytesPerSecond === null ? null : await rateOf(bytesPerSecond);
  if (isS3Target(target)) {
    const { s3Store } = await import("../../adapters/store/s3-store.ts");
    return s3Store(parseS3Location(target), { uploadRate });
  }
  const store = isSftpTarget(target) ? await openSftp(target) : await openDirectory(target);
  if (uploadRate === null) return store;
  const { withUploadRate } = await import("../../adapters/store/with-upload-rate.ts");
  return withUploadRate(store, uploadRate);
}

async function openSftp(target: string): Promise<Store> {
  const { sftpStore } = await import("../../adapters/store/sftp-store.ts");
  return sftpStore(parseSftpLocation(target));
}

async function openDirectory(directory: string): Promise<Store> {
  const { fileStore } = await import("../../adapters/store/file-store.ts");
  return fileStore(directory);
}

/** What a store may have in hand of an upload, unseen: parts of S3, and the buffers of systems. */
const IN_HAND_BYTES = 64 * 2 ** 20;

const MINUTE_MS = 60_000;

/** A wanted rate makes nobody stall. */
function patienceFor(uploadRate: number | null): Patience {
  const slowed = uploadRate === null ? 0 : (IN_HAND_BYTES / uploadRate) * 1000;
  return { stallMs: 15 * MINUTE_MS + slowed, afterStallMs: MINUTE_MS + slowed, graceMs: MINUTE_MS / 2 };
}

async function rateOf(bytesPerSecond: number): Promise<UploadRate> {
  const { UploadRate: Rate } = await import("../../adapters/store/upload-rate.ts");
  return new Rate(bytesPerSecond, { now: () => performance.now(), sleep });
}
