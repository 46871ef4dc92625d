import type { Finding } from "../domain/findings.ts";
import type { VolumeEntry } from "../domain/manifest.ts";
import type { StoredPart } from "../repository/stored-parts.ts";
import type { LostSegments } from "./lost-segments.ts";
import { placeIn, type Verdict } from "./verify-verdict.ts";

/** Passes on what is found in one backup, counts it, and remembers the segments that are lost. */
export class BackupFindings {
  readonly #lost: LostSegments;
  readonly #found: (finding: Finding) => void;
  #problems = 0;

  constructor(lost: LostSegments, found: (finding: Finding) => void) {
    this.#lost = lost;
    this.#found = found;
  }

  /** Findings that are more than a note. */
  get problems(): number {
    return this.#problems;
  }

  add(finding: Finding): void {
    if (finding.severity !== "note") this.#problems += 1;
    this.#found(finding);
  }

  /** `part` null: the file as a whole. */
  addIn(backup: string, file: VolumeEntry, part: StoredPart | null, verdict: Verdict): void {
    if (part?.kind === "segment") {
      this.#lost.add(backup, part.queue.ordinal, part.number, verdict.severity);
    }
    this.add({ ...placeIn(backup, file, part), ...verdict });
  }
}
