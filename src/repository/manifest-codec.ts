import type { Manifest } from "../domain/manifest.ts";
import { BackupError } from "../domain/errors.ts";
import { damaged, decodeDocument, encodeDocument } from "./sealed-document.ts";
import { manifestSchema } from "./manifest-schema.ts";
import { checkManifest, type ManifestFault } from "./manifest-checks.ts";

/** The bytes of `manifest.json`: the same for the same manifest. Throws INTERNAL for one that could not be read back. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const parsed = parse(manifest);
  if ("fault" in parsed) {
    throw new BackupError(
      "INTERNAL",
      `the manifest of ${manifest.id} is not valid: ${describe(parsed.fault)}`,
    );
  }
  return encodeDocument({ ...parsed.manifest });
}

/**
 * Nothing in what it gives leads outside the backup's own files or to absurd amounts of memory.
 * `name` is for messages. Throws MANIFEST_DAMAGED naming the field, FORMAT_NEWER.
 */
export function decodeManifest(bytes: Uint8Array, name: string): Manifest {
  return manifestOf(decodeDocument(bytes, name), name);
}

/** The same of members that were read already. */
export function manifestOf(content: unknown, name: string): Manifest {
  const parsed = parse(content);
  if ("fault" in parsed) throw damaged(name, describe(parsed.fault));
  return parsed.manifest;
}

function parse(content: unknown): { readonly manifest: Manifest } | { readonly fault: ManifestFault } {
  const parsed = manifestSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { fault: { path: issue?.path ?? [], problem: issue?.message ?? "is not valid" } };
  }
  const fault = checkManifest(parsed.data);
  return fault === null ? { manifest: parsed.data } : { fault };
}

/** "queues[3].segments[0].offset: ..." */
function describe(fault: ManifestFault): string {
  let path = "";
  for (const part of fault.path) {
    path += typeof part === "number" ? `[${part}]` : `${path === "" ? "" : "."}${String(part)}`;
  }
  return `${path === "" ? "the document" : path}: ${fault.problem}`;
}
