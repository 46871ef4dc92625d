import { Buffer } from "node:buffer";
import { z } from "zod";
import type { Definitions } from "../domain/definitions.ts";
import { BackupError } from "../domain/errors.ts";

const freeForm = z.record(z.string(), z.unknown());

const schema: z.ZodType<Definitions> = z.object({
  vhost: z.string(),
  exchanges: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      durable: z.boolean(),
      autoDelete: z.boolean(),
      internal: z.boolean(),
      arguments: freeForm,
    }),
  ),
  bindings: z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      destinationType: z.enum(["queue", "exchange"]),
      routingKey: z.string(),
      arguments: freeForm,
    }),
  ),
  policies: z.array(freeForm),
});

/** JSON, two spaces deep. */
export function encodeDefinitions(definitions: Definitions): Uint8Array {
  return Buffer.from(`${JSON.stringify(schema.parse(definitions), null, 2)}\n`, "utf8");
}

/** `name` is for messages. Throws ARCHIVE_DAMAGED. */
export function decodeDefinitions(bytes: Uint8Array, name: string): Definitions {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new BackupError("ARCHIVE_DAMAGED", `${name} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BackupError(
    "ARCHIVE_DAMAGED",
    `${name}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
  );
}
