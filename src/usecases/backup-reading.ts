import type { Keyring } from "../ports/encryption.ts";
import type { Store } from "../ports/store.ts";
import { KeptBases } from "../repository/kept-bases.ts";
import { keptBaseStore } from "../repository/kept-base-store.ts";
import { openedStore } from "../repository/opened-store.ts";

/** How backups that are there are read. */
export interface BackupReading {
  /** No identity and no passphrase is given. */
  readonly keyless: boolean;
  /** The same store as who has the keys reads it; of the same always the same. */
  of(store: Store): Store;
}

/** `bases`: where a run that writes, and has no key, finds what was kept of encrypted backups. */
export function backupReading(keyring: Keyring, bases: Store | null = null): BackupReading {
  const opened = new Map<Store, Store>();
  const kept = bases !== null && keyring.empty ? new KeptBases(bases) : null;
  const open = (store: Store): Store => {
    const closed = openedStore(store, keyring);
    return kept === null ? closed : keptBaseStore(store, closed, kept);
  };
  return {
    keyless: keyring.empty,
    of: (store) => {
      const known = opened.get(store) ?? open(store);
      opened.set(store, known);
      return known;
    },
  };
}
