import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { expect, test } from "vitest";
import { sendPing } from "../../../../src/adapters/monitoring/ping.ts";

interface Service extends AsyncDisposable {
  readonly url: string;
  readonly asked: string[];
}

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
): Promise<Service> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? "-"}`);
    answer(request, response, asked.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const never = new AbortController().signal;

test("asks once, and a login goes where logins go", async () => {
  await using service = await serve((_, response) => response.end("OK"));
  expect(await sendPing(`${service.url}/ping/token/start?a=1`, never)).toBeNull();
  expect(await sendPing(service.url.replace("//", "//me:s%40crt@"), never)).toBeNull();
  expect(service.asked).toEqual([
    "GET /ping/token/start?a=1 -",
    `GET / Basic ${Buffer.from("me:s@crt").toString("base64")}`,
  ]);
});

test("asks a second time when the server cannot now, and not a third", async () => {
  await using recovering = await serve((_, response, nth) => response.writeHead(nth === 1 ? 503 : 200).end());
  expect(await sendPing(recovering.url, never)).toBeNull();
  expect(recovering.asked).toHaveLength(2);
  await using broken = await serve((request) => request.socket.destroy());
  expect(await sendPing(broken.url, never)).toMatch(/^(UND_ERR_SOCKET|ECONNRESET)$/);
  expect(broken.asked).toHaveLength(2);
});

test("a refusal is told and not tried again", async () => {
  await using service = await serve((_, response) => response.writeHead(404).end("no such check"));
  expect(await sendPing(`${service.url}/secret`, never)).toBe("HTTP status 404");
  expect(service.asked).toHaveLength(1);
});

test("nobody there", async () => {
  const { url } = await serve(() => undefined).then(async (service) => {
    await service[Symbol.asyncDispose]();
    return service;
  });
  expect(await sendPing(`${url}/secret`, never)).toBe("ECONNREFUSED");
});

test("ends with its signal", async () => {
  await using service = await serve(() => undefined);
  const interruption = new AbortController();
  const sent = sendPing(service.url, interruption.signal);
  await expect.poll(() => service.asked.length).toBe(1);
  interruption.abort();
  expect(await sent).toBe("there was no time for it");
  expect(await sendPing(service.url, interruption.signal)).toBe("there was no time for it");
  expect(service.asked).toHaveLength(1);
});
