import http from "node:http";
import https from "node:https";

import { BackupError } from "../../domain/errors.ts";
import type { Abortable } from "../../ports/abortable.ts";

export interface ManagementEndpoint {
  /** `http[s]://user:password@host:port[/prefix]`, tried in order. They hold credentials: never printed. */
  readonly urls: readonly string[];
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** How long to wait for a connection, and then for each sign of life; default 60 seconds. */
  readonly timeoutMs?: number;
  /** Longer answers are refused; default 256 MiB. */
  readonly maxResponseBytes?: number;
}

export interface JsonAnswer {
  readonly status: number;
  /** Undefined when the answer was not JSON. */
  readonly body: unknown;
  /** Of the server that answered, without credentials. */
  readonly url: string;
}

const UNREACHABLE_HINT =
  "Look at --management-url and at the broker's management plugin, or name the queues with --queue and say --management-url none.";

export interface JsonRequest {
  /** All may be sent twice: what counts is that it was done. */
  readonly method: "GET" | "PUT" | "DELETE";
  /** Encoded already; starts with a slash. */
  readonly path: string;
  /** Sent as JSON; absent: none. */
  readonly body?: unknown;
}

/**
 * Requests with JSON, to the first server that answers; that one is asked first from then on.
 * Throws MANAGEMENT_UNREACHABLE when none answers, MANAGEMENT_REFUSED when an answer is longer than allowed.
 */
export class HttpJson implements Disposable {
  readonly #servers: Server[];
  readonly #timeoutMs: number;
  readonly #maxResponseBytes: number;

  constructor(endpoint: ManagementEndpoint) {
    this.#servers = endpoint.urls.map((url) => serverOf(url, endpoint.tls ?? {}));
    this.#timeoutMs = endpoint.timeoutMs ?? 60_000;
    this.#maxResponseBytes = endpoint.maxResponseBytes ?? 256 << 20;
  }

  async send(request: JsonRequest, options: Abortable = {}): Promise<JsonAnswer> {
    let last: BackupError | null = null;
    for (const server of this.#servers) {
      options.signal?.throwIfAborted();
      try {
        const answer = await this.#ask(server, request, options.signal);
        this.#preferred(server);
        return answer;
      } catch (error) {
        if (options.signal?.aborted) throw options.signal.reason;
        if (!(error instanceof BackupError) || error.code !== "MANAGEMENT_UNREACHABLE") throw error;
        last ??= error;
      }
    }
    throw (
      last ??
      new BackupError("MANAGEMENT_UNREACHABLE", "no management URL was given", { hint: UNREACHABLE_HINT })
    );
  }

  [Symbol.dispose](): void {
    for (const { agent } of this.#servers) agent.destroy();
  }

  #preferred(server: Server): void {
    this.#servers.splice(this.#servers.indexOf(server), 1);
    this.#servers.unshift(server);
  }

  async #ask(server: Server, asked: JsonRequest, signal: AbortSignal | undefined): Promise<JsonAnswer> {
    for (;;) {
      const reused = { socket: false };
      try {
        return await this.#askOnce(server, asked, signal, reused);
      } catch (error) {
        // A kept connection the server has closed meanwhile says nothing about the server.
        if (reused.socket && isReset(error)) continue;
        throw error instanceof BackupError ? error : unreachable(server.shown, error);
      }
    }
  }

  #askOnce(
    server: Server,
    { method, path, body }: JsonRequest,
    signal: AbortSignal | undefined,
    reused: { socket: boolean },
  ): Promise<JsonAnswer> {
    return new Promise((resolve, reject) => {
      const request = server.module.request({
        ...server.options,
        method,
        path: server.prefix + path,
        agent: server.agent,
        timeout: this.#timeoutMs,
        ...(signal ? { signal } : {}),
      });
      request.on("timeout", () =>
        request.destroy(new Error(`no answer within ${this.#timeoutMs / 1000} seconds`)),
      );
      request.on("error", (error) => {
        reused.socket = request.reusedSocket;
        reject(error);
      });
      request.on("response", (response) => {
        collect(response, this.#maxResponseBytes, server.shown)
          .then((bytes) => answerOf(response.statusCode ?? 0, bytes, server.shown))
          .then(resolve, (error: unknown) => {
            request.destroy();
            reject(error);
          });
      });
      if (body === undefined) request.end();
      else request.setHeader("content-type", "application/json").end(JSON.stringify(body));
    });
  }
}

interface Server {
  readonly shown: string;
  readonly prefix: string;
  readonly module: typeof http | typeof https;
  readonly agent: http.Agent;
  readonly options: http.RequestOptions;
}

function serverOf(text: string, tls: NonNullable<ManagementEndpoint["tls"]>): Server {
  const url = new URL(text);
  const module = url.protocol === "https:" ? https : http;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    shown: `${url.protocol}//${url.host}${prefixOf(url)}`,
    prefix: prefixOf(url),
    module,
    agent: new module.Agent({ keepAlive: true, maxSockets: 4, ...(module === https ? tls : {}) }),
    options: {
      host: url.hostname.replaceAll(/^\[|\]$/g, ""),
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      headers: {
        accept: "application/json",
        ...(url.username === "" ? {} : { authorization: `Basic ${Buffer.from(login).toString("base64")}` }),
      },
    },
  };
}

function prefixOf(url: URL): string {
  return url.pathname.replace(/\/+$/, "");
}

async function collect(response: http.IncomingMessage, limit: number, shown: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) {
      throw new BackupError(
        "MANAGEMENT_REFUSED",
        `management API ${shown}: an answer is longer than ${limit >> 20} MiB`,
        {
          hint: "Look whether --management-url names a RabbitMQ management API.",
        },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function answerOf(status: number, bytes: Buffer, url: string): JsonAnswer {
  // Gateways in front of a broker that is down.
  if (status === 502 || status === 504) throw unreachable(url, new Error(`a gateway answered ${status}`));
  try {
    return { status, url, body: JSON.parse(bytes.toString("utf8")) as unknown };
  } catch {
    return { status, url, body: undefined };
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

function unreachable(shown: string, error: unknown): BackupError {
  return new BackupError(
    "MANAGEMENT_UNREACHABLE",
    `management API ${shown} cannot be reached: ${reasonOf(error)}`,
    {
      hint: UNREACHABLE_HINT,
      cause: error,
    },
  );
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "unknown host name",
  EAI_AGAIN: "host name cannot be looked up now",
  ECONNRESET: "connection closed by the other side",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "no way to this host",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself; name the authority with --tls-ca",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is signed by an unknown authority; name it with --tls-ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is signed by an unknown authority; name it with --tls-ca",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate is signed by an unknown authority; name it with --tls-ca",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
};

/** Node's own messages repeat address and port, and an AggregateError (several addresses) has none at all. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return REASONS[code] ?? (error.message === "" ? code : error.message);
}
