import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { ageKeyMaker } from "../../src/adapters/encryption/key-maker.ts";
import { ageKeyring } from "../../src/adapters/encryption/keyring.ts";
import type { Keyring } from "../../src/ports/encryption.ts";
import { backupReading, type BackupReading } from "../../src/usecases/backup-reading.ts";
import type { BackupEncryption } from "../../src/usecases/backup-sealing.ts";

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
  return { keyring, encryption: { keys, namesHidden: false, proof: null }, reading: backupReading(keyring) };
}
