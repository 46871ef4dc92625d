import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

/** Requests of the S3 protocol, as far as a store of backups makes them. */
export type S3Operation =
  "create" | "part" | "complete" | "abort" | "uploads" | "put" | "get" | "head" | "list" | "delete";

/** What becomes of one request. */
export type S3ProxyFault =
  /** Answered so, and not passed on. */
  | { readonly answer: number; readonly code?: string; readonly headers?: Readonly<Record<string, string>> }
  /** Passed on so much later, or after something else. */
  | { readonly delayMs: number }
  | { readonly until: Promise<void> }
  /** The connection breaks: when the request begins, in the midst of its body, when it is complete; nothing is passed on. */
  | "cut-before"
  | "cut-in-body"
  | "cut-after-body"
  /** Passed on and done, and then the connection breaks before the answer. */
  | "lost-answer"
  /** The answer breaks off half-way. */
  | "cut-in-answer"
  /** Half of the answer, and what it says of its length is true of that half. */
  | "short-answer"
  /** The answer says success and holds an error, as S3 may end an upload. */
  | "error-in-answer"
  /** The request is taken and no answer ever comes; it was passed on or not. */
  | "stall"
  | "stall-after-done"
  /** Half of the answer, and then nothing more ever. */
  | "stall-in-answer";

/** Between an S3 client and a real store, at the level of requests. */
export interface S3Proxy extends AsyncDisposable {
  readonly endpoint: string;
  /** Every request, in the order they came. */
  readonly requests: readonly S3Operation[];
  /** Bytes of bodies that clients were given. */
  bytesToClients(): number;
  /** For the next requests of this kind, in order; null: passes on. Each is used once. */
  fail(operation: S3Operation, ...faults: readonly (S3ProxyFault | null)[]): void;
  /** For every request of these kinds, from now on. */
  failAlways(fault: S3ProxyFault, ...operations: readonly S3Operation[]): void;
  /** Faults that no request has met yet. */
  unused(): number;
}

/** Listens on a free loopback port. Signatures hold the host a client talks to, which is passed on as it is. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const requests: S3Operation[] = [];
  const scripts = new Map<S3Operation, (S3ProxyFault | null)[]>();
  const always = new Map<S3Operation, S3ProxyFault>();
  const closing = new AbortController();
  let toClients = 0;

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    void handle(request, response).catch(() => request.destroy());
  };
  const server = createServer(serve);
  server.on("checkContinue", serve);
  server.requestTimeout = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = operationOf(request);
    requests.push(operation);
    const fault = scripts.get(operation)?.shift() ?? always.get(operation) ?? null;
    if (fault === "cut-before") return void request.socket.resetAndDestroy();
    if (typeof fault === "object" && fault !== null && "answer" in fault)
      return refuse(request, response, fault);
    if (request.headers.expect !== undefined) response.writeContinue();
    const half = fault === "cut-in-body" ? Number(request.headers["content-length"]) / 2 : Infinity;
    const body = await bodyOf(request, half);
    if (body === null || fault === "cut-after-body") return void request.socket.resetAndDestroy();
    if (fault === "stall") return;
    if (typeof fault === "object" && fault !== null) {
      await ("until" in fault ? fault.until : delay(fault.delayMs, undefined, closing));
    }
    const { status, headers, bytes } = await passedOn(request, body);
    if (fault === "stall-after-done") return;
    if (fault === "lost-answer") return void request.socket.resetAndDestroy();
    if (fault === "error-in-answer") return give(response, 200, {}, errorOf("InternalError"));
    if (fault === "short-answer")
      return give(response, status, headers, bytes.subarray(0, bytes.length >> 1));
    if ((fault !== "cut-in-answer" && fault !== "stall-in-answer") || bytes.length === 0)
      return give(response, status, headers, bytes);
    response.writeHead(status, { ...headers, "content-length": bytes.length });
    const part = bytes.subarray(0, bytes.length >> 1);
    toClients += part.length;
    response.write(part, () => fault === "cut-in-answer" && response.destroy());
    response.flushHeaders();
  }

  function refuse(
    request: IncomingMessage,
    response: ServerResponse,
    fault: { answer: number; code?: string; headers?: Readonly<Record<string, string>> },
  ): void {
    request.resume();
    give(
      response,
      fault.answer,
      { ...fault.headers },
      fault.code === undefined ? Buffer.alloc(0) : errorOf(fault.code),
    );
  }

  function give(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, bytes: Buffer): void {
    const isHead = response.req.method === "HEAD";
    response.writeHead(status, isHead ? headers : { ...headers, "content-length": bytes.length });
    toClients += bytes.length;
    response.end(isHead ? undefined : bytes);
  }

  async function passedOn({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    const { expect: _expect, ...rest } = headers;
    const path = url ?? "/";
    const upstream = httpRequest({
      host: hostname,
      port,
      method: method ?? "GET",
      path,
      headers: rest,
      agent,
      signal: closing.signal,
    });
    upstream.end(body);
    const [answer] = (await once(upstream, "response")) as [IncomingMessage];
    const { connection: _connection, "transfer-encoding": _encoding, ...given } = answer.headers;
    return { status: answer.statusCode ?? 0, headers: given, bytes: await buffer(answer) };
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    bytesToClients: () => toClients,
    fail: (operation, ...faults) =>
      void scripts.set(operation, [...(scripts.get(operation) ?? []), ...faults]),
    failAlways: (fault, ...operations) => operations.forEach((operation) => always.set(operation, fault)),
    unused: () => [...scripts.values()].reduce((sum, faults) => sum + faults.length, 0),
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      agent.destroy();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly bytes: Buffer;
}

function operationOf({ method, url }: IncomingMessage): S3Operation {
  const { pathname, searchParams } = new URL(url ?? "/", "http://store");
  const ofUpload = searchParams.has("uploadId");
  const ofObject = pathname.split("/").filter((part) => part !== "").length > 1;
  switch (method) {
    case "POST":
      return ofUpload ? "complete" : "create";
    case "PUT":
      return ofUpload ? "part" : "put";
    case "DELETE":
      return ofUpload ? "abort" : "delete";
    case "HEAD":
      return "head";
    default:
      if (ofObject) return "get";
      return searchParams.has("uploads") ? "uploads" : "list";
  }
}

/** null: `half` of it has come, and no more is read. */
async function bodyOf(request: IncomingMessage, half: number): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= half) return null;
  }
  return Buffer.concat(parts);
}

function errorOf(code: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>by the proxy</Message></Error>`,
  );
}
