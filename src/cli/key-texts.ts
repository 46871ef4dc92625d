/** What is wrong with a text as an X25519 recipient, as far as its form goes: completes "<where> ...". Never shows it. */
export function recipientFault(text: string): string | null {
  if (/^age1[02-9ac-hj-np-z]{58}$/.test(text)) return null;
  if (isSecretKey(text)) return "is an identity, which is secret, and not the recipient that belongs to it";
  if (/^(ssh-|ecdsa-|sk-)/.test(text)) return `is an SSH key: ${ONLY_X25519}`;
  if (/^age1[a-z0-9+.-]+1/.test(text)) return `is of an age plugin, or another kind of key: ${ONLY_X25519}`;
  return "is no age recipient: age1 and 58 small letters and digits";
}

/** The same of an identity. */
export function identityFault(text: string): string | null {
  if (/^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/.test(text)) return null;
  if (text.startsWith("age1")) return "is a recipient, which opens nothing, and not its identity";
  if (/^AGE-(PLUGIN|SECRET-KEY-[A-Z]+-)/.test(text)) {
    return `is of an age plugin, or another kind of key: ${ONLY_X25519}`;
  }
  if (/^-----BEGIN .*PRIVATE KEY-----/.test(text)) return `is an SSH key: ${ONLY_X25519}`;
  return "is no age identity: AGE-SECRET-KEY-1 and 58 capitals and digits";
}

export function isSecretKey(text: string): boolean {
  return /^AGE-(SECRET-KEY|PLUGIN)-/i.test(text);
}

/** An identity where something else belongs: files too have names that begin with "age-". */
export function isMisplacedIdentity(text: string): boolean {
  return /^\s*AGE-(SECRET-KEY|PLUGIN)-[0-9A-Z-]*1[0-9A-Z]{20,}\s*$/i.test(text);
}

const ONLY_X25519 = "only those of age-keygen are supported (X25519)";
