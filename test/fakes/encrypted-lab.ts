import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { ageKeyMaker } from "../../src/adapters/encryption/key-maker.ts";
import { ageKeyring } from "../../src/adapters/encryption/keyring.ts";
import type { Keyring } from "../../src/ports/encryption.ts";
import type { Store } from "../../src/ports/store.ts";
import { openedStore } from "../../src/repository/opened-store.ts";
import type { BackupEncryption, BackupReading } from "../../src/usecases/backup-sealing.ts";

/** Somebody who may read backups, and how they are made for him. */
export interface Reader {
  readonly keyring: Keyring;
  readonly encryption: BackupEncryption;
  readonly reading: BackupReading;
}

export const NO_KEYS: Keyring = ageKeyring({ identities: [], passphrase: null });

export async function newReader(): Promise<Reader> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const keyring = ageKeyring({ identities: [identity], passphrase: null });
  const keys = ageKeyMaker({ recipients: [recipient] });
  return { keyring, encryption: { keys, namesHidden: false, proof: null }, reading: readingWith(keyring) };
}

function readingWith(keyring: Keyring): BackupReading {
  const opened = new Map<Store, Store>();
  return {
    keyless: keyring.empty,
    of: (store) => {
      const known = opened.get(store) ?? openedStore(store, keyring);
      opened.set(store, known);
      return known;
    },
  };
}
