import { randomBytes } from "node:crypto";
import { Decrypter, Encrypter } from "./age-library.ts";
import { AgeDamage } from "./age-damage.ts";
import { NONCE_BYTES, payloadKey, TAG_BYTES } from "./payload.ts";
import { Unopened } from "./unopened.ts";

/** What an age v1 file begins with: the header, which holds the file's key for each who may read it, and the nonce of the payload. */
export interface Preamble {
  /** Header and nonce. */
  readonly bytes: Uint8Array;
  readonly payloadKey: Uint8Array;
}

/** Of a file for one X25519 recipient. */
export const ONE_RECIPIENT_BYTES = 184;
/** Of hundreds of recipients. */
export const MAX_PREAMBLE_BYTES = 1024 * 1024;

const VERSION_LINE = Buffer.from("age-encryption.org/v1\n");

/** Of a new file. `identity` is that of the recipient. */
export async function newPreamble(recipient: string, identity: string): Promise<Preamble> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const empty = await encrypter.encrypt(new Uint8Array(0));
  const header = empty.subarray(0, empty.length - NONCE_BYTES - TAG_BYTES);
  const fileKey = await fileKeyOf(header, identity);
  const nonce = randomBytes(NONCE_BYTES);
  return { bytes: Buffer.concat([header, nonce]), payloadKey: payloadKey(fileKey, nonce) };
}

/** How long the preamble is that these bytes begin with; null: longer than they are. Throws AgeDamage: it is none. */
export function preambleLength(bytes: Uint8Array): number | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const begin = text.subarray(0, VERSION_LINE.length);
  if (!begin.equals(VERSION_LINE.subarray(0, begin.length))) throw new AgeDamage("it is no age file");
  const lastLine = text.indexOf("\n---");
  const end = lastLine < 0 ? -1 : text.indexOf("\n", lastLine + 1);
  const length = end + 1 + NONCE_BYTES;
  if (end >= 0 && length <= bytes.length) return length;
  if (bytes.length >= MAX_PREAMBLE_BYTES) throw new AgeDamage("its header has no end");
  return null;
}

/** `bytes` are a whole preamble. Throws AgeDamage: damaged, or the identity is of none of its recipients. */
export async function openPreamble(bytes: Uint8Array, identity: string): Promise<Preamble> {
  const header = bytes.subarray(0, bytes.length - NONCE_BYTES);
  const fileKey = await fileKeyOf(header, identity);
  return { bytes, payloadKey: payloadKey(fileKey, bytes.subarray(header.length)) };
}

async function fileKeyOf(header: Uint8Array, identity: string): Promise<Uint8Array> {
  const unopened = new Unopened();
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  decrypter.addIdentity(unopened);
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    throw new AgeDamage(
      unopened.stanzas === null ? "its header is damaged" : "it is not encrypted with the key of its backup",
      { cause: error },
    );
  }
}
