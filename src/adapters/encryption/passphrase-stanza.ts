import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { Stanza, type Identity, type Recipient } from "./age-library.ts";
import { AgeDamage } from "./age-damage.ts";
import { CIPHER, TAG_BYTES } from "./payload.ts";

/** What age itself takes: 256 MiB, and most of a second. */
export const WORK_FACTOR = 18;
/** A GiB: whoever wrote the file decides how much is taken to open it. */
const MAX_WORK_FACTOR = 20;
const LABEL = "age-encryption.org/v1/scrypt";
const SALT_BYTES = 16;
const FILE_KEY_BYTES = 16;
/** Of a key that is used once. */
const NONCE = new Uint8Array(12);

/**
 * age's passphrase recipient over Node's scrypt, which works in a thread of its own and gives its memory back. That of the package would
 * hold up everything else for more than a second.
 */
export function passphraseRecipient(passphrase: string, workFactor: number): Recipient {
  return {
    wrapFileKey: async (fileKey) => {
      const salt = randomBytes(SALT_BYTES);
      const key = await wrappingKey(passphrase, salt, workFactor);
      const cipher = createCipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new Stanza(["scrypt", base64(salt), String(workFactor)], body)];
    },
  };
}

export function passphraseIdentity(passphrase: string): Identity {
  return {
    unwrapFileKey: async (stanzas) => {
      const [stanza, ...others] = stanzas;
      if (stanza === undefined || !stanzas.some(({ args }) => args[0] === "scrypt")) return null;
      const [, saltText = "", factorText = "", ...more] = stanza.args;
      const salt = Buffer.from(saltText, "base64");
      const factor = /^[1-9]\d?$/.test(factorText) ? Number(factorText) : Number.NaN;
      if (others.length > 0 || more.length > 0 || base64(salt) !== saltText || salt.length !== SALT_BYTES)
        throw new AgeDamage("its header is damaged");
      if (!(factor <= MAX_WORK_FACTOR)) throw new AgeDamage("its work factor is too high");
      if (stanza.body.length !== FILE_KEY_BYTES + TAG_BYTES) throw new AgeDamage("its header is damaged");
      return unwrapped(await wrappingKey(passphrase, salt, factor), stanza.body);
    },
  };
}

function unwrapped(key: Uint8Array, body: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES });
  const fileKey = decipher.update(body.subarray(0, FILE_KEY_BYTES));
  decipher.setAuthTag(body.subarray(FILE_KEY_BYTES));
  try {
    decipher.final();
    return fileKey;
  } catch {
    return null;
  }
}

async function wrappingKey(passphrase: string, salt: Uint8Array, workFactor: number): Promise<Uint8Array> {
  const labelled = Buffer.concat([Buffer.from(LABEL), salt]);
  const N = 2 ** workFactor;
  return new Promise((resolve, reject) => {
    scrypt(passphrase, labelled, 32, { N, r: 8, p: 1, maxmem: N * 1024 * 2 }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Without padding, as age has it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
