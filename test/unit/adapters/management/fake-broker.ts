import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface FakeBroker extends AsyncDisposable {
  /** With the login of a user "u" with password "p". */
  readonly url: string;
  /** Paths asked for, in order. */
  readonly asked: readonly string[];
  /** How many connections were made. */
  readonly connections: number;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An HTTP server on loopback that answers as it is told. */
export async function fakeBroker(answer: Answer): Promise<FakeBroker> {
  const asked: string[] = [];
  const seen = { connections: 0 };
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  server.on("connection", () => (seen.connections += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return {
    url: `http://u:p@127.0.0.1:${address.port}`,
    asked,
    get connections() {
      return seen.connections;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
