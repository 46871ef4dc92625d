import type { Keyring, KeyMaker } from "../../ports/encryption.ts";
import type { Store } from "../../ports/store.ts";
import type { BackupReading } from "../../usecases/backup-reading.ts";
import type { BackupEncryption } from "../../usecases/backup-sealing.ts";
import { readIdentities, readPassphrase, readRecipients } from "../encryption-keys.ts";
import type { Session } from "../session.ts";

/** For commands that write; null: backups are not to be encrypted. Throws SETTING_INVALID. */
export async function wireKeyMaker(
  session: Session,
  given?: Promise<string | null>,
): Promise<KeyMaker | null> {
  const { settings, raw } = session;
  const passphrase = await (given ?? readPassphrase(session));
  const byRecipients = settings.recipient.length + settings.recipientsFile.length > 0;
  if (passphrase === null && !byRecipients) return null;
  const { ageKeyMaker } = await import("../../adapters/encryption/key-maker.ts");
  if (passphrase !== null) return ageKeyMaker({ passphrase });
  const { isX25519Recipient } = await import("../../adapters/encryption/key-texts.ts");
  return ageKeyMaker({ recipients: await readRecipients(settings, raw, isX25519Recipient) });
}

/** For commands that read. What is given is read at once, the rest when a backup is met that is encrypted. Throws SETTING_INVALID. */
export async function wireKeyring(session: Session, given?: Promise<string | null>): Promise<Keyring> {
  const passphrase = await (given ?? readPassphrase(session));
  const identities = await readIdentities(session, async (text) => {
    const { isX25519Identity } = await import("../../adapters/encryption/key-texts.ts");
    return isX25519Identity(text);
  });
  return {
    empty: identities.length === 0 && passphrase === null,
    open: async (...call) => {
      const { ageKeyring } = await import("../../adapters/encryption/keyring.ts");
      return ageKeyring({ identities, passphrase }).open(...call);
    },
  };
}

/** How backups are read: with the keys that are given. */
export async function wireReading(session: Session): Promise<BackupReading> {
  const { backupReading } = await import("../../usecases/backup-reading.ts");
  return backupReading(await wireKeyring(session));
}

/**
 * For commands that make backups: how those are encrypted, and how others are read: without a key by what is kept of them in `state`. A
 * passphrase is read once, it may come from a pipe. Whoever encrypts with one reads with it too, so nothing is kept then.
 */
export async function wireSealing(
  session: Session,
  state: Store,
): Promise<{
  readonly encryption: BackupEncryption | null;
  readonly reading: BackupReading;
  readonly bases: Store | null;
}> {
  const passphrase = readPassphrase(session);
  const keyring = await wireKeyring(session, passphrase);
  const keys = await wireKeyMaker(session, passphrase);
  const proof = (await passphrase) === null ? null : keyring;
  const { encryptNames: namesHidden } = session.settings;
  const { backupReading } = await import("../../usecases/backup-reading.ts");
  return {
    encryption: keys && { keys, namesHidden, proof },
    reading: backupReading(keyring, state),
    bases: proof === null ? state : null,
  };
}
