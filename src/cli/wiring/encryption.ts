import type { Keyring, KeyMaker } from "../../ports/encryption.ts";
import { readIdentities, readPassphrase, readRecipients } from "../encryption-keys.ts";
import type { Session } from "../session.ts";

/** For commands that write; null: backups are not to be encrypted. Throws SETTING_INVALID. */
export async function wireKeyMaker(session: Session): Promise<KeyMaker | null> {
  const { settings, raw } = session;
  const passphrase = await readPassphrase(session);
  const byRecipients = settings.recipient.length + settings.recipientsFile.length > 0;
  if (passphrase === null && !byRecipients) return null;
  const { ageKeyMaker } = await import("../../adapters/encryption/key-maker.ts");
  if (passphrase !== null) return ageKeyMaker({ passphrase });
  const { isX25519Recipient } = await import("../../adapters/encryption/key-texts.ts");
  return ageKeyMaker({ recipients: await readRecipients(settings, raw, isX25519Recipient) });
}

/** For commands that read. What is given is read at once, the rest when a backup is met that is encrypted. Throws SETTING_INVALID. */
export async function wireKeyring(session: Session): Promise<Keyring> {
  const passphrase = await readPassphrase(session);
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
