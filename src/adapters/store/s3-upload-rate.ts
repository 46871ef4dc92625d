import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import type { UploadRate } from "./upload-rate.ts";

/** The body of every request goes out at the rate, on the wire: all parts on their way together, and each try again. */
export function keepToRate(client: S3Client, rate: UploadRate): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const body = bodyOf(args.request);
      if (body === null) return next(args);
      // Signed and measured by now: what follows is the sending. One that breaks off is left unread.
      return next({ ...args, request: { ...body.request, body: Readable.from(rate.paced([body.bytes])) } });
    },
    { step: "deserialize", priority: "low", name: "uploadRate" },
  );
}

function bodyOf(request: unknown): { readonly request: object; readonly bytes: Uint8Array } | null {
  if (typeof request !== "object" || request === null || !("body" in request)) return null;
  const body: unknown = typeof request.body === "string" ? Buffer.from(request.body) : request.body;
  return body instanceof Uint8Array && body.length > 0 ? { request, bytes: body } : null;
}
