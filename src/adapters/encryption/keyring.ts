import { Decrypter, type Stanza } from "./age-library.ts";
import { BackupError } from "../../domain/errors.ts";
import type { Keyring } from "../../ports/encryption.ts";
import { AgeBackupKey } from "./backup-key.ts";
import { passphraseIdentity } from "./passphrase-stanza.ts";
import { Unopened } from "./unopened.ts";

export interface KeyringContent {
  /** X25519. */
  readonly identities: readonly string[];
  readonly passphrase: string | null;
}

export function ageKeyring({ identities, passphrase }: KeyringContent): Keyring {
  return {
    empty: identities.length === 0 && passphrase === null,
    open: async (keyFile, name, { signal } = {}) => {
      signal?.throwIfAborted();
      const unopened = new Unopened();
      const decrypter = new Decrypter();
      for (const identity of identities) decrypter.addIdentity(identity);
      if (passphrase !== null) decrypter.addIdentity(passphraseIdentity(passphrase));
      decrypter.addIdentity(unopened);
      const text = await decrypter.decrypt(keyFile, "text").catch(nullWhenDamaged);
      signal?.throwIfAborted();
      if (unopened.stanzas !== null) throw keyWrong(name, unopened.stanzas, { identities, passphrase });
      const key = text === null ? null : await AgeBackupKey.parse(text);
      if (key !== null) return key;
      throw new BackupError(
        "ARCHIVE_DAMAGED",
        `${name} ${text === null ? "is no age file, or damaged" : "holds no key of a backup"}`,
        { hint: "Take it from another copy of the repository: without it the backup cannot be read." },
      );
    },
  };
}

/** Those of Node alone have codes: no memory for scrypt, for instance. */
function nullWhenDamaged(error: unknown): null {
  if (error instanceof Error && "code" in error && typeof error.code === "string") throw error;
  return null;
}

function keyWrong(
  name: string,
  stanzas: readonly Stanza[],
  { identities, passphrase }: KeyringContent,
): BackupError {
  const byPassphrase = stanzas.some(({ args }) => args[0] === "scrypt");
  const message = byPassphrase
    ? `the passphrase ${passphrase === null ? "is not given" : "is not the one"} that opens ${name}`
    : `${identities.length === 0 ? "no identity is given that" : "no identity that was given"} opens ${name}`;
  const hint = byPassphrase
    ? "Give the one it was made with by --passphrase-file or MQBACKUP_PASSPHRASE."
    : "Give the identity of one of its recipients with --identity-file.";
  return new BackupError("KEY_WRONG", message, { hint });
}
