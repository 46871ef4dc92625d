import type { Abortable } from "./abortable.ts";
import type { Spool } from "./spool.ts";

/** Reads stored bytes of one object: those of a range, or all; as `Store.get` does. */
export type ReadStored = (
  range: { readonly offset: number; readonly length: number } | null,
) => AsyncIterable<Uint8Array>;

/** One encrypted file as it is stored. */
export interface EncryptedFile {
  /** For errors: its key at the target. */
  readonly name: string;
  /** As stored. */
  readonly bytes: number;
  readonly read: ReadStored;
}

/**
 * The key of one backup. Its files are age files for it alone; it is itself kept beside them in an age file for those who may read the
 * backup, so that who may read can change without a volume being written again.
 */
export interface BackupKey {
  /** 32 bytes nobody else has: what seals the manifest is derived from them. */
  readonly secret: Uint8Array;
  /**
   * Files created in it are encrypted before they reach the disk: `.age` is added to their names; sizes and checksums are of what is
   * stored; the ranges that `append` gives, and `plain` of the finished file, are of what was appended.
   */
  encrypting(spool: Spool): Spool;
  /**
   * The plain bytes of a range, or of all. For all of them the file is read once, from its first byte to its last; for a range its
   * beginning (the first time) and the 64 KiB chunks that hold the range. Nothing is given that is not proven to be of this key, this
   * file and this place. Throws ARCHIVE_DAMAGED (a byte changed, cut off or added, another key's), and as `read`.
   */
  decrypt(
    file: EncryptedFile,
    options?: { readonly range?: { readonly offset: number; readonly length: number } },
  ): AsyncIterable<Uint8Array>;
  /** Plain bytes of a file of this key that is stored in so many; null: no such file is so long. */
  plainBytes(storedBytes: number): number | null;
}

/** Makes keys, for whom the operator named: X25519 recipients, or one passphrase. */
export interface KeyMaker {
  /** The age file that holds the key, and the key. Different every time. */
  create(options?: Abortable): Promise<{ readonly key: BackupKey; readonly keyFile: Uint8Array }>;
  /** The same key, for those named now. */
  wrap(key: BackupKey, options?: Abortable): Promise<Uint8Array>;
}

/** Identities and passphrases of the operator. */
export interface Keyring {
  /** True: there is none, nothing can be opened. */
  readonly empty: boolean;
  /** Throws KEY_WRONG (none opens it, or there is none), ARCHIVE_DAMAGED (it is no age file, or holds no key). `name` is for errors. */
  open(keyFile: Uint8Array, name: string, options?: Abortable): Promise<BackupKey>;
}
