import { hkdfSync } from "node:crypto";
import { generateX25519Identity, identityToRecipient } from "./age-library.ts";
import type { BackupKey, EncryptedFile } from "../../ports/encryption.ts";
import type { Spool } from "../../ports/spool.ts";
import { Decryption } from "./decryption.ts";
import { encryptingSpool } from "./encrypting-spool.ts";
import { isX25519Identity } from "./key-texts.ts";
import { payloadLayout } from "./payload.ts";
import { newPreamble, ONE_RECIPIENT_BYTES } from "./preamble.ts";

const COMMENT = "# mqbackup backup key";

/** An X25519 identity of one backup. */
export class AgeBackupKey implements BackupKey {
  readonly secret: Uint8Array;
  readonly #identity: string;
  readonly #recipient: string;
  readonly #decryption: Decryption;

  private constructor(identity: string, recipient: string) {
    this.#identity = identity;
    this.#recipient = recipient;
    this.#decryption = new Decryption(identity);
    this.secret = new Uint8Array(hkdfSync("sha256", identity, "", "mqbackup backup key", 32));
  }

  static async make(): Promise<AgeBackupKey> {
    const identity = await generateX25519Identity();
    return new AgeBackupKey(identity, await identityToRecipient(identity));
  }

  /** null: the text is not that of `identityFile`. */
  static async parse(text: string): Promise<AgeBackupKey | null> {
    const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
    const [identity, ...others] = lines;
    if (identity === undefined || others.length > 0 || !(await isX25519Identity(identity))) return null;
    return new AgeBackupKey(identity, await identityToRecipient(identity));
  }

  /** As age reads it. Nobody may see it. */
  identityFile(): string {
    return `${COMMENT}\n${this.#identity}\n`;
  }

  encrypting(spool: Spool): Spool {
    return encryptingSpool(spool, async () => newPreamble(this.#recipient, this.#identity));
  }

  decrypt(
    file: EncryptedFile,
    { range }: { readonly range?: { readonly offset: number; readonly length: number } } = {},
  ): AsyncIterable<Uint8Array> {
    return this.#decryption.read(file, range ?? null);
  }

  plainBytes(storedBytes: number): number | null {
    return payloadLayout(storedBytes - ONE_RECIPIENT_BYTES)?.plainBytes ?? null;
  }
}
