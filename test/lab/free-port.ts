import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A TCP port on loopback nobody listens on at this moment. Brokers get fixed ports of this kind instead of ports chosen
 * by Docker, which change when a container is started again.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no TCP address");
  return address.port;
}
