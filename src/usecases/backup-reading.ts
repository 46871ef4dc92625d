import type { Keyring } from "../ports/encryption.ts";
import type { Store } from "../ports/store.ts";
import { openedStore } from "../repository/opened-store.ts";

/** How backups that are there are read. */
export interface BackupReading {
  /** No identity and no passphrase is given. */
  readonly keyless: boolean;
  /** The same store as who has the keys reads it; of the same always the same. */
  of(store: Store): Store;
}

export function backupReading(keyring: Keyring): BackupReading {
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
