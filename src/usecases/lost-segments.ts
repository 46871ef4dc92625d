import type { Severity } from "../domain/findings.ts";

/** Segments found not to be as they should: whoever keeps messages in them cannot have these either. */
export class LostSegments {
  readonly #byBackup = new Map<string, Map<string, Severity>>();

  /** `segment`: 1-based number within the queue. */
  add(backup: string, ordinal: number, segment: number, severity: Severity): void {
    const lost = this.#byBackup.get(backup) ?? new Map<string, Severity>();
    this.#byBackup.set(backup, lost);
    lost.set(`${ordinal}/${segment}`, severity);
  }

  /** False: this backup has none. */
  hasAny(backup: string): boolean {
    return this.#byBackup.has(backup);
  }

  /** How bad it is; null: nothing was found. */
  of(backup: string, ordinal: number, segment: number): Severity | null {
    return this.#byBackup.get(backup)?.get(`${ordinal}/${segment}`) ?? null;
  }
}
