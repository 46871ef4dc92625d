import { describe, expect, it } from "vitest";

import { HttpJson } from "../../../../src/adapters/management/http-json.ts";
import { freePort } from "../../../lab/free-port.ts";
import { fakeBroker, json } from "./fake-broker.ts";

async function deadUrl(): Promise<string> {
  return `http://u:secret@127.0.0.1:${await freePort()}`;
}

describe("HttpJson", () => {
  it("sends the login of the URL, decoded, and keeps the path prefix", async () => {
    let authorization = "";
    await using broker = await fakeBroker((request, response) => {
      authorization = request.headers.authorization ?? "";
      json(response, 200, { ok: true });
    });
    using http = new HttpJson({ urls: [`${broker.url.replace("u:p@", "a%40b:p%3Aw%C3%BC@")}/rabbit/`] });

    expect(await http.send({ method: "GET", path: "/api/x" })).toMatchObject({
      status: 200,
      body: { ok: true },
    });
    expect(broker.asked).toEqual(["/rabbit/api/x"]);
    expect(Buffer.from(authorization.slice(6), "base64").toString()).toBe("a@b:p:wü");
  });

  it("sends a body as JSON, and none where there is none", async () => {
    const seen: unknown[] = [];
    await using broker = await fakeBroker((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        seen.push([request.method, request.url, request.headers["content-type"], text]);
        response.writeHead(204).end();
      });
    });
    using http = new HttpJson({ urls: [broker.url] });
    await http.send({ method: "PUT", path: "/1", body: { a: "ü" } });
    expect(await http.send({ method: "DELETE", path: "/2" })).toMatchObject({ status: 204, body: undefined });
    expect(seen).toEqual([
      ["PUT", "/1", "application/json", '{"a":"ü"}'],
      ["DELETE", "/2", undefined, ""],
    ]);
  });

  it("takes the first server that answers, and stays with it", async () => {
    await using broker = await fakeBroker((_, response) => json(response, 200, {}));
    using http = new HttpJson({ urls: [await deadUrl(), broker.url] });

    await http.send({ method: "GET", path: "/1" });
    await http.send({ method: "GET", path: "/2" });

    expect(broker.asked).toEqual(["/1", "/2"]);
    expect(broker.connections).toBe(1);
  });

  it("passes over a gateway in front of a broker that is down", async () => {
    await using gateway = await fakeBroker((_, response) => response.writeHead(502).end("Bad Gateway"));
    await using broker = await fakeBroker((_, response) => json(response, 200, {}));
    using http = new HttpJson({ urls: [gateway.url, broker.url] });
    expect((await http.send({ method: "GET", path: "/1" })).status).toBe(200);
  });

  it("says which server could not be reached and why, without the password", async () => {
    const url = await deadUrl();
    using http = new HttpJson({ urls: [url] });
    const error: unknown = await http.send({ method: "GET", path: "/x" }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "MANAGEMENT_UNREACHABLE",
      message: `management API ${url.replace("u:secret@", "")} cannot be reached: connection refused`,
    });
    expect(JSON.stringify(error) + String(error)).not.toContain("secret");
  });

  it("asks again when a kept connection turns out to be closed", async () => {
    await using broker = await fakeBroker((request, response) => {
      if (request.url === "/2" && broker.connections === 1) request.socket.destroy();
      else json(response, 200, {});
    });
    using http = new HttpJson({ urls: [broker.url] });
    await http.send({ method: "GET", path: "/1" });
    expect((await http.send({ method: "GET", path: "/2" })).status).toBe(200);
    expect(broker.connections).toBe(2);
  });

  it("gives up a server that accepts and then says nothing", async () => {
    await using broker = await fakeBroker(() => undefined);
    using http = new HttpJson({ urls: [broker.url], timeoutMs: 50 });
    await expect(http.send({ method: "GET", path: "/x" })).rejects.toMatchObject({
      code: "MANAGEMENT_UNREACHABLE",
    });
  });

  it("gives up a server that stops in the middle of an answer", async () => {
    await using broker = await fakeBroker((_, response) =>
      response.writeHead(200, { "content-length": 100 }).write("{"),
    );
    using http = new HttpJson({ urls: [broker.url], timeoutMs: 50 });
    await expect(http.send({ method: "GET", path: "/x" })).rejects.toMatchObject({
      code: "MANAGEMENT_UNREACHABLE",
    });
  });

  it("stops reading an answer that is too long", async () => {
    await using broker = await fakeBroker((_, response) => {
      response.on("error", () => undefined);
      const more = (): void => void (response.destroyed || response.write("x".repeat(1 << 16), more));
      more();
    });
    using http = new HttpJson({ urls: [broker.url], maxResponseBytes: 1 << 20 });
    await expect(http.send({ method: "GET", path: "/x" })).rejects.toMatchObject({
      code: "MANAGEMENT_REFUSED",
      message: expect.stringContaining("longer than 1 MiB"),
    });
  });

  it("rejects with the signal's reason when aborted, before and during", async () => {
    await using broker = await fakeBroker(() => controller.abort(reason));
    const controller = new AbortController();
    const reason = new Error("enough");
    using http = new HttpJson({ urls: [broker.url] });
    await expect(http.send({ method: "GET", path: "/x" }, { signal: controller.signal })).rejects.toBe(
      reason,
    );
    await expect(http.send({ method: "GET", path: "/x" }, { signal: controller.signal })).rejects.toBe(
      reason,
    );
    expect(broker.asked).toEqual(["/x"]);
  });

  it("gives no body for what is not JSON", async () => {
    await using broker = await fakeBroker((_, response) => response.end("<html>"));
    using http = new HttpJson({ urls: [broker.url] });
    expect(await http.send({ method: "GET", path: "/x" })).toMatchObject({ status: 200, body: undefined });
  });
});
