import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";
import { BackupError } from "../domain/errors.ts";
import { FORMAT } from "../domain/manifest.ts";

/** More than a JavaScript string can hold comfortably; a manifest of ten terabytes stays below. */
export const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;

const TAIL_START = '  "sha256": "';
const TAIL_END = '"\n}\n';
/** What ends a document and is not summed. */
export const TAIL_BYTES = TAIL_START.length + 64 + TAIL_END.length;

const UPGRADE_HINT = "Use a version of mqbackup that knows this format.";

/**
 * JSON, two spaces deep, whose last member is the SHA-256 of every byte before that member's line: any damaged byte shows.
 * By hand: `head -n -2 manifest.json | sha256sum`.
 */
export function encodeDocument(content: Readonly<Record<string, unknown>>): Uint8Array {
  const { sha256: _previous, ...rest } = content;
  const text = `${JSON.stringify({ ...rest, sha256: "0".repeat(64) }, null, 2)}\n`;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw new BackupError("INTERNAL", `a document of ${bytes.length} bytes is more than can be read back`);
  }
  bytes.write(sum(bytes), bytes.length - TAIL_END.length - 64, "latin1");
  return bytes;
}

/**
 * The members of a document, nothing of them checked but the checksum and the format number.
 * Throws MANIFEST_DAMAGED, or FORMAT_NEWER when it is whole and of a format this version does not know.
 */
export function decodeDocument(bytes: Uint8Array, name: string): Readonly<Record<string, unknown>> {
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw damaged(name, `it has ${bytes.length} bytes, more than any`);
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const stored = storedSum(bytes);
  if (stored === null) {
    // A later format may be sealed in another way, and still says its number.
    refuseNewer(parseObject(text), name);
    throw damaged(name, "it does not end with its checksum");
  }
  if (stored !== sum(bytes)) throw damaged(name, "its bytes do not match its checksum");
  const content = parseObject(text);
  if (content === null) throw damaged(name, "it is not a JSON object");
  refuseNewer(content, name);
  return content;
}

export function damaged(name: string, why: string): BackupError {
  return new BackupError("MANIFEST_DAMAGED", `${name} is damaged: ${why}`, {
    hint: "Take the backup from another copy of the repository.",
  });
}

/** The checksum at the end of these bytes; null: they do not end as a document does. */
export function storedSum(bytes: Uint8Array): string | null {
  if (bytes.length < TAIL_BYTES) return null;
  const tail = Buffer.from(bytes.subarray(bytes.length - TAIL_BYTES)).toString("latin1");
  return /^ {2}"sha256": "([0-9a-f]{64})"\n\}\n$/.exec(tail)?.[1] ?? null;
}

/** What tells a document that could be read from every other one. */
export function sealOf(bytes: Uint8Array): string {
  return storedSum(bytes) ?? "";
}

function refuseNewer(content: Readonly<Record<string, unknown>> | null, name: string): void {
  const format = content?.["format"];
  if (typeof format === "number" && format > FORMAT) {
    throw new BackupError(
      "FORMAT_NEWER",
      `${name} has format ${format}, this version of mqbackup knows formats up to ${FORMAT}`,
      { hint: UPGRADE_HINT },
    );
  }
}

function sum(bytes: Uint8Array): string {
  return createHash("sha256")
    .update(bytes.subarray(0, bytes.length - TAIL_BYTES))
    .digest("hex");
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
