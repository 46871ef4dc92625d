/**
 * A URL fit to be seen: its password masked. Where an @ or a slash in a password makes it unclear where that ends, or whether there is
 * one, rather too much is masked.
 */
export function maskUrl(text: string): string {
  if (isWithoutPassword(text)) return text;
  return text.replace(TO_LAST_AT, ":***@").replace(UNFINISHED, "$1***");
}

/** What must not be seen of a URL, as written and decoded. */
export function secretsOf(text: string): readonly string[] {
  if (isWithoutPassword(text)) return [];
  const found = [TO_LAST_AT.exec(text)?.[1] ?? "", URL.canParse(text) ? new URL(text).password : ""];
  return [...new Set(found.flatMap((password) => [password, decoded(password)]))].filter(
    (part) => part !== "",
  );
}

/** A URL whose path tells who may use it, fit to be seen: scheme and host alone. */
export function maskPath(text: string): string {
  if (!URL.canParse(text)) return "***";
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}/***`;
}

/** What must not be seen of it: all of it, and what comes behind the host. */
export function pathOf(text: string): readonly string[] {
  if (!URL.canParse(text)) return [text];
  const { pathname, search } = new URL(text);
  const parts = [...pathname.split("/"), pathname.slice(1), search.slice(1)];
  return [...new Set([text, ...parts.flatMap((part) => [part, decoded(part)])])].filter(
    (part) => part.length >= LEAST_TOKEN,
  );
}

/** Shorter parts of a path are words like "heartbeat", and no secret. */
const LEAST_TOKEN = 12;

/** Percent-encoding undone where it is valid. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** After the first colon that is not the scheme's. */
const TO_LAST_AT = /:(?!\/\/)(.*)@/s;
/** What stands where a port would, and is none. */
const UNFINISHED = /(:\/\/[^:/@[\]]*:)(?!\d+(?:\/|$)|\*\*\*@).+$/s;

function isWithoutPassword(text: string): boolean {
  return URL.canParse(text) && text.includes("://") && new URL(text).password === "";
}
