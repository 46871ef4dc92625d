export {
  Decrypter,
  Encrypter,
  generateX25519Identity,
  identityToRecipient,
  Stanza,
  type Identity,
  type Recipient,
} from "age-encryption";

/**
 * The library works with the X25519 of Web Crypto. Early versions of Node 20 tell once, on standard error, that this is experimental; of
 * a run by cron that would make a mail every time. It is told here, where nobody listens.
 */
const emitWarning = process.emitWarning.bind(process);
process.emitWarning = () => undefined;
try {
  // Where there is none, the library does without.
  crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"]).catch(() => undefined);
} finally {
  process.emitWarning = emitWarning;
}
