import { Encrypter, identityToRecipient } from "./age-library.ts";

/** An age recipient as mqbackup takes it: X25519, `age1...`. */
export function isX25519Recipient(text: string): boolean {
  // No text of the package's errors is shown: it may hold what was parsed.
  if (!/^age1[02-9ac-hj-np-z]{58}$/.test(text)) return false;
  try {
    new Encrypter().addRecipient(text);
    return true;
  } catch {
    return false;
  }
}

/** An age identity as mqbackup takes it: X25519, `AGE-SECRET-KEY-1...`. */
export async function isX25519Identity(text: string): Promise<boolean> {
  if (!/^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/.test(text)) return false;
  try {
    await identityToRecipient(text);
    return true;
  } catch {
    return false;
  }
}
