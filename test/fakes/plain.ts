import type { BackupReading } from "../../src/usecases/backup-reading.ts";

/** Nothing is encrypted, and no keys are given. */
export const PLAIN: BackupReading = { keyless: true, of: (store) => store };
