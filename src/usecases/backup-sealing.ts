import type { Manifest, VolumeEntry } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { BackupKey, KeyMaker, Keyring } from "../ports/encryption.ts";
import type { Spool, SpooledFile } from "../ports/spool.ts";
import type { ObjectBody } from "../ports/store.ts";
import { sealManifest, type SealedManifest } from "../repository/manifest-seal.ts";

/** How backups that are made are encrypted. */
export interface BackupEncryption {
  readonly keys: KeyMaker;
  /** Names of queues and virtual hosts are not readable in what is stored. */
  readonly namesHidden: boolean;
  /** What must open the newest backup of the set before another is made, as with a passphrase, which may be mistyped; null: nothing. */
  readonly proof: Keyring | null;
}

/** Encrypts one backup with a key that is new. */
export class BackupSealing {
  /** To be put beside the files. */
  readonly keyFile: Uint8Array;
  readonly #key: BackupKey;
  readonly #namesHidden: boolean;

  private constructor(key: BackupKey, keyFile: Uint8Array, namesHidden: boolean) {
    this.#key = key;
    this.keyFile = keyFile;
    this.#namesHidden = namesHidden;
  }

  /** null: it is not to be encrypted. */
  static async begin(encryption: BackupEncryption | null, options: Abortable): Promise<BackupSealing | null> {
    if (encryption === null) return null;
    const { key, keyFile } = await encryption.keys.create(options);
    return new BackupSealing(key, keyFile, encryption.namesHidden);
  }

  encrypting(spool: Spool): Spool {
    return this.#key.encrypting(spool);
  }

  /** What was appended to a file of such a spool. */
  decrypted({ name, bytes, body, plain }: SpooledFile): ObjectBody {
    return {
      bytes: plain?.bytes ?? bytes,
      open: () => this.#key.decrypt({ name, bytes, read: () => body.open() }),
    };
  }

  /** Once: see `sealManifest`. */
  seal(plain: Manifest, files: readonly VolumeEntry[]): SealedManifest {
    return sealManifest(plain, { secret: this.#key.secret, files, namesHidden: this.#namesHidden });
  }
}
