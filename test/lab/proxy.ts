import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

const NEVER = { left: Infinity, reached: (): void => undefined };

/** A wire between a client and a server that does what it is told. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Connections open now. */
  connections(): number;
  /** Bytes the server has sent to clients since the start. */
  bytesToClient(): number;
  /** Nothing passes in either direction, connections stay open: a network that has gone silent. */
  pause(): void;
  /** Everything held back passes now. */
  resume(): void;
  /** Breaks every connection with a reset; new ones are taken. */
  cut(): void;
  /** Breaks the connection as soon as this many more bytes have gone to the client, in mid-frame if need be. Once. */
  cutAfter(bytes: number): void;
  /** Pauses as soon as this many more bytes have gone to the client, or to the server; resolves then. Once. */
  pauseAfter(bytes: number, to?: "client" | "server"): Promise<void>;
  /** New connections are broken at once, until `accept`. */
  refuse(): void;
  accept(): void;
  /** Every piece of data arrives this much later; 0 ends it. */
  delay(ms: number): void;
}

/** Listens on a free loopback port and passes everything on to `target`. Disposal breaks what is open. */
export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let [paused, refusing, delayMs, toClient] = [false, false, 0, 0];
  let cutAt = Infinity;
  const pauses = { client: NEVER, server: NEVER };

  const server = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const drop = (): void => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) {
      socket.on("error", drop).on("close", drop);
      if (paused) socket.pause();
    }
    client.on("data", (bytes) => {
      pass(bytes, client, upstream);
      pauseIfDue("server", bytes.length);
    });
    upstream.on("data", (bytes) => {
      const allowed = Math.min(bytes.length, cutAt - toClient);
      toClient += allowed;
      pass(bytes.subarray(0, allowed), upstream, client);
      pauseIfDue("client", allowed);
      if (toClient < cutAt) return;
      cutAt = Infinity;
      client.end(() => cut());
    });
  });

  function pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (delayMs > 0) {
      setTimeout(() => to.writable && to.write(bytes), delayMs).unref();
    } else if (!to.write(bytes)) {
      from.pause();
      to.once("drain", () => paused || from.resume());
    }
  }

  function pauseIfDue(to: "client" | "server", bytes: number): void {
    const due = pauses[to];
    due.left -= bytes;
    if (due.left > 0) return;
    pauses[to] = NEVER;
    pause();
    due.reached();
  }

  function pause(): void {
    paused = true;
    eachSocket("pause");
  }

  function cut(): void {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  function eachSocket(verb: "pause" | "resume"): void {
    for (const pair of pairs) for (const socket of pair) socket[verb]();
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => pairs.size,
    bytesToClient: () => toClient,
    pause,
    resume: () => ((paused = false), eachSocket("resume")),
    cut,
    cutAfter: (bytes) => void (cutAt = toClient + bytes),
    pauseAfter: (bytes, to = "client") =>
      new Promise((resolve) => (pauses[to] = { left: bytes, reached: resolve })),
    refuse: () => void (refusing = true),
    accept: () => void (refusing = false),
    delay: (ms) => void (delayMs = ms),
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
