import { hasCode, type BackupError } from "../../domain/errors.ts";
import type { Keyring } from "../../ports/encryption.ts";
import type { LeaseEvent } from "../../usecases/held-lease.ts";
import type { RekeyDeps } from "../../usecases/rekey-types.ts";
import { readNewPassphrase } from "../encryption-keys.ts";
import type { Session } from "../session.ts";
import { wireKeyMaker, wireKeyring } from "./encryption.ts";
import { wireRun } from "./run.ts";
import { wireStores } from "./targets.ts";
import { writtenStores } from "./written-stores.ts";

/** What opens backups now, and for whom they are from now on. Throws SETTING_INVALID. */
export async function wireRekey(session: Session, report: (event: LeaseEvent) => void): Promise<RekeyDeps> {
  const passphrase = readNewPassphrase(session);
  const keys = await wireKeyMaker(session, passphrase);
  if (keys === null) throw new TypeError("who may read is not said");
  const { ageKeyring } = await import("../../adapters/encryption/keyring.ts");
  // What a run that was broken off has done already, the new passphrase opens.
  const next = ageKeyring({ identities: [], passphrase: await passphrase });
  const keyring = firstOf([await wireKeyring(session), next]);
  const [stores, run] = await Promise.all([wireStores(session.settings.target), wireRun()]);
  const written = await Promise.all(stores.map(await writtenStores(session, report)));
  return { stores: written, keyring, keys, ...run, report };
}

/** Each is tried. Throws what the first says. */
function firstOf(keyrings: readonly Keyring[]): Keyring {
  return {
    empty: keyrings.every(({ empty }) => empty),
    open: async (...call) => {
      let wrong: BackupError | null = null;
      for (const keyring of keyrings) {
        try {
          return await keyring.open(...call);
        } catch (error) {
          if (!hasCode(error, "KEY_WRONG")) throw error;
          wrong ??= error;
        }
      }
      throw wrong ?? new TypeError("no keyrings");
    },
  };
}
