import { z } from "zod";
import { BackupError, hasCode } from "../domain/errors.ts";
import { FORMAT } from "../domain/manifest.ts";
import type { Abortable } from "../ports/abortable.ts";
import type { Store } from "../ports/store.ts";
import { fromAnyCopy } from "./copies.ts";
import { bytesBody, readObjectOrNull } from "./objects.ts";
import { damaged, decodeDocument, encodeDocument } from "./sealed-document.ts";

const REPOSITORY_KEY = "mqbackup-repository.json";
/** A few hundred, and room for what later versions may add. */
const MAX_BYTES = 1024 * 1024;

/** What makes a target a repository. */
export interface RepositoryDocument {
  readonly format: number;
  /** Unique and for ever, whatever becomes of the location. */
  readonly id: string;
  readonly createdAt: string;
}

const schema: z.ZodType<RepositoryDocument> = z.object({
  format: z.literal(FORMAT),
  id: z.string().min(1).max(100),
  createdAt: z.iso.datetime(),
});

/** Throws REPOSITORY_MISSING, FORMAT_NEWER, MANIFEST_DAMAGED. */
export async function readRepository(
  store: Pick<Store, "get" | "location" | "copies">,
  options: Abortable = {},
): Promise<RepositoryDocument> {
  return fromAnyCopy(store, REPOSITORY_KEY, async (copy) => readDocument(copy, options));
}

async function readDocument(
  store: Pick<Store, "get" | "location">,
  options: Abortable,
): Promise<RepositoryDocument> {
  const bytes = await readObjectOrNull(store, REPOSITORY_KEY, { ...options, maxBytes: MAX_BYTES });
  if (bytes === null) {
    throw new BackupError("REPOSITORY_MISSING", `there is no repository at ${store.location}`, {
      hint: "Check the target; mqbackup full creates a repository with its first backup.",
    });
  }
  const parsed = schema.safeParse(decodeDocument(bytes, REPOSITORY_KEY));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw damaged(REPOSITORY_KEY, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
}

/** The document that is there, or else a new one. Of two that create at once, both get the same. */
export async function readOrCreateRepository(
  store: Pick<Store, "get" | "put" | "location">,
  request: { readonly repositoryId: string; readonly now: Date },
  options: Abortable = {},
): Promise<RepositoryDocument> {
  try {
    return await readRepository(store, options);
  } catch (error) {
    if (!hasCode(error, "REPOSITORY_MISSING")) throw error;
  }
  const document: RepositoryDocument = {
    format: FORMAT,
    id: request.repositoryId,
    createdAt: request.now.toISOString(),
  };
  try {
    await store.put(REPOSITORY_KEY, bytesBody(encodeDocument({ ...document })), {
      ...options,
      ifAbsent: true,
    });
  } catch (error) {
    if (!hasCode(error, "OBJECT_EXISTS")) throw error;
  }
  return readRepository(store, options);
}
