import type { QueueInfo } from "./queue.ts";
import type { RestoreJournal } from "./restore-journal.ts";

/** What is at the destination now. */
export interface DestinationState {
  /** null: no such queue. */
  readonly found: { readonly ready: number; readonly consumers: number } | null;
  /** What the management API says of it; null: it was not asked, or knows nothing. */
  readonly info: QueueInfo | null;
  /** Of an earlier restore of the same queue of the same backup into this destination. */
  readonly journal: RestoreJournal | null;
}
