import { once } from "node:events";
import { createServer } from "node:http";

/** A dead man's switch on this machine. */
export interface PingService extends AsyncDisposable {
  /** With a token nobody may see. */
  readonly url: string;
  readonly token: string;
  /** What was asked for behind the URL, in order: "/start", "", "/4". May be emptied. */
  readonly pings: string[];
}

export async function startPingService(): Promise<PingService> {
  const token = "t0ken-planted-4e1f9c";
  const pings: string[] = [];
  const server = createServer((request, response) => {
    pings.push((request.url ?? "").replace(`/ping/${token}`, ""));
    response.end("OK");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}/ping/${token}`,
    token,
    pings,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
