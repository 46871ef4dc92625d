/**
 * Paths inside the tar of a volume. Whatever a queue is called, the path is relative, has no `..` part, is made of letters, digits
 * and `. _ - %` only, and has at most 100 bytes, so that one ustar header holds it. The ordinal keeps two queues apart; the
 * manifest has the real names.
 */

/** With the longest ending (`/0000001.fingerprints`) the whole path stays within 100 bytes. */
const FOLDER_BYTES = 76;

/** `queues/00001-orders`. `ordinal` counts from 1. */
export function queueFolder(ordinal: number, name: string): string {
  return named(`queues/${digits(ordinal, 5)}-`, name);
}

/** `queues/00001-orders/000001.records`. `number` counts from 1 within the queue. */
export function recordsEntryName(folder: string, number: number): string {
  return `${folder}/${digits(number, 6)}.records`;
}

/** `queues/00001-orders/000001.fingerprints`, in the index. */
export function fingerprintsEntryName(folder: string, number: number): string {
  return `${folder}/${digits(number, 6)}.fingerprints`;
}

/** `definitions/00001-%2F.json`. `ordinal` counts the virtual hosts from 1. */
export function definitionsEntryName(ordinal: number, vhost: string): string {
  return `${named(`definitions/${digits(ordinal, 5)}-`, vhost)}.json`;
}

/** `leases/1f0c5b2e9a7d4c31-nightly`: a key, not a path in a tar. `digest`, of the whole label, keeps two sets apart. */
export function leaseFolder(digest: string, set: string): string {
  return named(`leases/${digest}-`, set);
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, "0");
}

/** Cut between characters, never inside an escape. */
function named(prefix: string, name: string): string {
  let path = prefix;
  for (const character of name) {
    const readable = /^[A-Za-z0-9._-]$/.test(character) ? character : percentEncoded(character);
    if (path.length + readable.length > FOLDER_BYTES) break;
    path += readable;
  }
  // Some systems drop a dot at the end of a file name.
  return path.endsWith(".") ? `${path.slice(0, -1)}%2E` : path;
}

function percentEncoded(character: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(character)) {
    encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
