import type { Identity, Stanza } from "./age-library.ts";

/** Opens nothing. Added as the last one it is only asked when no other has opened the file. */
export class Unopened implements Identity {
  /** Of the file, when it was asked. */
  stanzas: readonly Stanza[] | null = null;

  unwrapFileKey(stanzas: readonly Stanza[]): null {
    this.stanzas = stanzas;
    return null;
  }
}
