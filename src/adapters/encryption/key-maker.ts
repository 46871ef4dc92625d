import { Encrypter } from "./age-library.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { BackupKey, KeyMaker } from "../../ports/encryption.ts";
import { AgeBackupKey } from "./backup-key.ts";
import { passphraseRecipient, WORK_FACTOR } from "./passphrase-stanza.ts";

/** Who may read: one of the recipients (X25519, at least one), or who knows the passphrase. */
export type Readers =
  { readonly recipients: readonly string[] } | { readonly passphrase: string; readonly workFactor?: number };

export function ageKeyMaker(readers: Readers): KeyMaker {
  if ("recipients" in readers && readers.recipients.length === 0) throw new TypeError("no recipients");
  const wrap = async (key: BackupKey, { signal }: Abortable = {}): Promise<Uint8Array> => {
    if (!(key instanceof AgeBackupKey)) throw new TypeError("a key that was not made here");
    signal?.throwIfAborted();
    const encrypter = new Encrypter();
    if ("passphrase" in readers) {
      const { passphrase, workFactor = WORK_FACTOR } = readers;
      encrypter.addRecipient(passphraseRecipient(passphrase, workFactor));
    } else {
      for (const recipient of readers.recipients) encrypter.addRecipient(recipient);
    }
    const keyFile = await encrypter.encrypt(key.identityFile());
    signal?.throwIfAborted();
    return keyFile;
  };
  return {
    create: async (options) => {
      const key = await AgeBackupKey.make();
      return { key, keyFile: await wrap(key, options) };
    },
    wrap,
  };
}
