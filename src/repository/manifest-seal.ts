import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { Buffer } from "node:buffer";
import { isSealed, type Manifest, type VolumeEntry } from "../domain/manifest.ts";
import { encodeManifest, manifestOf } from "./manifest-codec.ts";
import { decodePrivatePart, encodePrivatePart, joinParts, partsOf } from "./private-part.ts";
import { damaged, decodeDocument, sealOf } from "./sealed-document.ts";

const CIPHER = "chacha20-poly1305";
const TAG_BYTES = 16;
/** The key seals one manifest, once. */
const NONCE = Buffer.alloc(12);
const INFO = "mqbackup manifest v1";

export interface SealingOptions {
  /** Of the backup's key: see `BackupKey`. */
  readonly secret: Uint8Array;
  /** Encrypted: volumes, then the index. */
  readonly files: readonly VolumeEntry[];
  readonly namesHidden: boolean;
}

export interface SealedManifest {
  /** To be stored. */
  readonly sealed: Manifest;
  /** The same as who has the key reads it. */
  readonly opened: Manifest;
}

/**
 * Of the manifest of an encrypted backup, made of its plain files, what is stored: what is private is encrypted, and bound to all that
 * is not, so that neither can be changed. A secret seals one manifest and no other. Throws INTERNAL for one that could not be read back.
 */
export function sealManifest(
  plain: Manifest,
  { secret, files, namesHidden }: SealingOptions,
): SealedManifest {
  const { shown, part } = partsOf(plain, namesHidden);
  const index = files.at(-1) ?? shown.index;
  const encryption = { namesHidden };
  const unsealed: Manifest = { ...shown, encryption, volumes: files.slice(0, -1), index, sealed: "AAAA" };
  const bound = boundBytes(decodeDocument(encodeManifest(unsealed), plain.id));
  const sealed: Manifest = { ...unsealed, sealed: encrypt(encodePrivatePart(part), secret, bound) };
  const sha256 = sealOf(encodeManifest(sealed));
  return { sealed, opened: { ...plain, encryption, stored: { files, sha256 } } };
}

/**
 * The opened manifest, of the bytes of a sealed one; `name` is for messages. Throws MANIFEST_DAMAGED when anything of it is not as it
 * was sealed with this secret, and as `decodeManifest`.
 */
export function openManifest(bytes: Uint8Array, secret: Uint8Array, name: string): Manifest {
  const content = decodeDocument(bytes, name);
  const { sealed, ...shown } = manifestOf(content, name);
  if (!isSealed(shown) || sealed === undefined) throw damaged(name, "it is not sealed");
  const encrypted = Buffer.from(sealed, "base64");
  if (encrypted.toString("base64") !== sealed) throw damaged(name, "sealed: is not written as it should be");
  const decrypted = decrypt(encrypted, secret, boundBytes(content));
  if (decrypted === null) {
    throw damaged(name, "it was changed after it was sealed, or the key beside it is another backup's");
  }
  const part = decodePrivatePart(decrypted);
  const joined = part && joinParts(shown, part);
  if (joined === null) throw damaged(name, "what is sealed in it does not fit it");
  const stored = { files: [...shown.volumes, shown.index], sha256: sealOf(bytes) };
  return manifestOf({ ...joined, stored }, name);
}

/** All members as they are written, also those that this version does not know, but for what is sealed and the checksum. */
function boundBytes(content: Readonly<Record<string, unknown>>): Uint8Array {
  const { sealed: _, sha256: _sum, ...bound } = content;
  return Buffer.from(JSON.stringify(bound), "utf8");
}

function encrypt(plain: Uint8Array, secret: Uint8Array, bound: Uint8Array): string {
  const cipher = createCipheriv(CIPHER, keyOf(secret), NONCE, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound, { plaintextLength: plain.length });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

/** null: the bytes, or what they are bound to, are not those that were encrypted. */
function decrypt(sealed: Buffer, secret: Uint8Array, bound: Uint8Array): Uint8Array | null {
  const end = sealed.length - TAG_BYTES;
  if (end < 0) return null;
  const decipher = createDecipheriv(CIPHER, keyOf(secret), NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(bound, { plaintextLength: end });
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}

function keyOf(secret: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), INFO, 32));
}
