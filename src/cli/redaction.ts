/** Shorter texts are parts of words: without them nothing could be read any more. */
const LEAST_SECRET = 3;

/** The text without these secrets, as they are, percent-encoded, and as within JSON. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= LEAST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .toSorted((a, b) => b.length - a.length)
    .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}
