import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

interface Stored {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** What becomes of one request. */
export type S3Fault =
  /** Answered so, and not done. */
  | { readonly answer: number; readonly code: string }
  /** Done, and then the connection breaks before the answer. */
  | "lost-answer"
  /** The connection breaks before anything is done. */
  | "lost-request"
  /** The answer says how long it is and breaks off half-way. */
  | "half";

export interface S3Request {
  /** Such as `PUT a/b`, `POST a/b?uploads`, `GET ?list-type=2`. */
  readonly name: string;
  readonly headers: IncomingHttpHeaders;
}

export interface S3Service extends AsyncDisposable {
  readonly endpoint: string;
  readonly objects: Map<string, Stored>;
  readonly uploads: Map<string, Map<number, Buffer>>;
  readonly requests: S3Request[];
  /** For the next requests whose name matches; each is used once, in order. */
  fail(name: RegExp, ...faults: readonly S3Fault[]): void;
  /** Faults that no request has met yet. */
  unused(): number;
  /** If-None-Match is read over, as old stores do. */
  ignoreConditions: boolean;
}

/** Enough of S3 for the store to work on, in memory, and made to fail. One bucket of any name, path style, nothing is signed. */
export async function startS3Service(): Promise<S3Service> {
  const objects = new Map<string, Stored>();
  const uploads = new Map<string, Map<number, Buffer>>();
  const marks = new Map<string, Readonly<Record<string, string>>>();
  const scripts: { readonly name: RegExp; readonly faults: S3Fault[] }[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const service: S3Service = {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    uploads,
    requests: [],
    ignoreConditions: false,
    fail: (name, ...faults) => scripts.push({ name, faults: [...faults] }),
    unused: () => scripts.reduce((sum, { faults }) => sum + faults.length, 0),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return service;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", service.endpoint);
    const key = decodeURIComponent(url.pathname).split("/").slice(2).join("/");
    const what = ["uploads", "uploadId", "partNumber", "list-type"].filter((name) =>
      url.searchParams.has(name),
    );
    const name = `${request.method ?? ""} ${key}${what.length === 0 ? "" : `?${what.join("&")}`}`;
    service.requests.push({ name, headers: request.headers });
    const fault = scripts
      .find((script) => script.name.test(name) && script.faults.length > 0)
      ?.faults.shift();
    if (fault === "lost-request") return void request.socket.destroy();
    const body = bodyOf(await buffer(request), request.headers["content-encoding"]);
    if (typeof fault === "object") return failed(response, fault.answer, fault.code);
    const answer = done(request, url, key, body);
    if (fault === "lost-answer") return void request.socket.destroy();
    const { status, headers = {}, bytes = Buffer.alloc(0) } = answer;
    const length = request.method === "HEAD" ? {} : { "content-length": String(bytes.length) };
    response.writeHead(status, { ...length, ...headers });
    if (fault !== "half") return void response.end(request.method === "HEAD" ? undefined : bytes);
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy());
  }

  function done(request: IncomingMessage, url: URL, key: string, body: Buffer): Answer {
    const query = url.searchParams;
    const uploadId = query.get("uploadId");
    const taken = request.headers["if-none-match"] === "*" && !service.ignoreConditions && objects.has(key);
    switch (request.method) {
      case "PUT": {
        if (uploadId !== null) {
          const parts = uploads.get(uploadId);
          if (parts === undefined) return refusal(404, "NoSuchUpload");
          parts.set(Number(query.get("partNumber")), body);
          return { status: 200, headers: { etag: etagOf(body) } };
        }
        if (taken) return refusal(412, "PreconditionFailed");
        objects.set(key, { bytes: body, headers: markOf(request) });
        return { status: 200, headers: { etag: etagOf(body) } };
      }
      case "POST": {
        if (uploadId === null) {
          const id = randomUUID();
          uploads.set(id, new Map());
          marks.set(id, markOf(request));
          return xml(
            `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
          );
        }
        const parts = uploads.get(uploadId);
        if (parts === undefined) return refusal(404, "NoSuchUpload");
        if (taken) return refusal(412, "PreconditionFailed");
        const bytes = Buffer.concat([...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part));
        objects.set(key, { bytes, headers: marks.get(uploadId) ?? {} });
        uploads.delete(uploadId);
        return xml(`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`);
      }
      case "DELETE":
        if (uploadId === null) objects.delete(key);
        else uploads.delete(uploadId);
        return { status: 204 };
      case "HEAD":
      case "GET":
        if (key !== "") return read(request, key);
        return query.has("uploads") ? xml("<ListMultipartUploadsResult/>") : listing(query);
      default:
        return refusal(501, "NotImplemented");
    }
  }

  function read(request: IncomingMessage, key: string): Answer {
    const found = objects.get(key);
    if (found === undefined) return refusal(404, "NoSuchKey");
    const { bytes, headers } = found;
    const etag = etagOf(bytes);
    const match = request.headers["if-match"];
    if (match !== undefined && match !== etag) return refusal(412, "PreconditionFailed");
    if (request.method === "HEAD") {
      return { status: 200, headers: { etag, ...headers, "content-length": String(bytes.length) } };
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (from === undefined || to === undefined) return { status: 200, headers: { etag }, bytes };
    if (Number(from) >= bytes.length) return refusal(416, "InvalidRange");
    const part = bytes.subarray(Number(from), Number(to) + 1);
    const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
    return { status: 206, headers: { etag, "content-range": range }, bytes: part };
  }

  function listing(query: URLSearchParams): Answer {
    const after = query.get("continuation-token") ?? "";
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after)
      .toSorted((a, b) => (a < b ? -1 : 1));
    const page = keys.slice(0, PAGE);
    const contents = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><Size>${objects.get(key)?.bytes.length ?? 0}</Size><LastModified>${new Date().toISOString()}</LastModified></Contents>`,
    );
    const more =
      keys.length > PAGE ? `<NextContinuationToken>${page.at(-1) ?? ""}</NextContinuationToken>` : "";
    return xml(
      `<ListBucketResult><IsTruncated>${more !== ""}</IsTruncated>${more}${contents.join("")}</ListBucketResult>`,
    );
  }
}

const PAGE = 5;

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytes?: Buffer;
}

function refusal(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>no</Message></Error>`), status };
}

function failed(response: ServerResponse, status: number, code: string): void {
  const { bytes, headers } = refusal(status, code);
  response.writeHead(status, { ...headers });
  response.end(bytes);
}

function xml(text: string): Answer & { readonly bytes: Buffer } {
  const bytes = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
  return { status: 200, headers: { "content-type": "application/xml" }, bytes };
}

function etagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function markOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const mark = headers["x-amz-meta-mqbackup-put"];
  return typeof mark === "string" ? { "x-amz-meta-mqbackup-put": mark } : {};
}

function bodyOf(bytes: Buffer, encoding: string | undefined): Buffer {
  if (encoding?.includes("aws-chunked") === true) throw new Error("bodies in chunks are not expected");
  return bytes;
}
