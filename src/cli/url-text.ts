/** A URL fit to be seen: its password masked, also when it is no URL at all. */
export function maskUrl(text: string): string {
  return text.replace(/(:\/\/[^/@:]*):[^/]*@/, "$1:***@").replace(/^([^/@:]+):[^/]*@/, "$1:***@");
}

/** What must not be seen of a URL, as written and decoded. */
export function secretsOf(text: string): readonly string[] {
  const password = /:\/\/[^/@:]*:([^/]*)@/.exec(text)?.[1] ?? "";
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
