import type { FrameRange, VolumeEntry } from "../domain/manifest.ts";
import type { SpoolDisk } from "../domain/spool-limit.ts";
import type { ObjectBody } from "./store.ts";

/** A finished local file, ready to be put to targets. `release` removes it from the spool. */
export interface SpooledFile extends VolumeEntry {
  readonly body: ObjectBody;
  /** What was appended, where the file stores it in another form. */
  readonly plain?: Pick<VolumeEntry, "bytes" | "sha256">;
  release(): Promise<void>;
}

/** A file growing on the local disk. Appends are written in call order; the checksum is taken on the way. */
export interface SpoolFile {
  readonly name: string;
  /** Bytes appended so far, written or under way. */
  readonly bytes: number;
  /** Resolves when written; rejects TARGET_FULL when the disk is full. */
  append(bytes: Uint8Array): Promise<FrameRange>;
  /** No more appends; synced. */
  finish(): Promise<SpooledFile>;
}

/** A private folder on the local disk where volumes are built. Disposing removes it with all that is in it. */
export interface Spool extends AsyncDisposable {
  create(name: string): Promise<SpoolFile>;
  /** As it is now; null: that cannot be told. */
  disk(): Promise<SpoolDisk | null>;
}
