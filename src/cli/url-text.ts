/** A URL fit to be seen: its password masked. What is no URL, but has an @, may still hold one. */
export function maskUrl(text: string): string {
  const password = passwordPart(text);
  return password === null ? text : text.replace(`:${password}@`, ":***@");
}

/** What must not be seen of a URL, as written and decoded. */
export function secretsOf(text: string): readonly string[] {
  const password = passwordPart(text) ?? "";
  return password === "" ? [] : [...new Set([password, decoded(password)])];
}

/** Percent-encoding undone where it is valid. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** From the first colon that is not the scheme's to the last @: of the authority in a URL, of all in anything else. */
function passwordPart(text: string): string | null {
  const where = URL.canParse(text) ? /^[^/]*\/\/[^/]*/.exec(text)?.[0] : text;
  return /:(?!\/\/)(.*)@/s.exec(where ?? text)?.[1] ?? null;
}
