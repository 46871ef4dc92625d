/** Every call that can wait takes it last. An aborted call rejects with the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal;
}
