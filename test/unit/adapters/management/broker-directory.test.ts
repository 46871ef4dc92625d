import { describe, expect, it } from "vitest";

import { managementDirectory } from "../../../../src/adapters/management/broker-directory.ts";
import { fakeBroker, json } from "./fake-broker.ts";

/** Queues that are declared and deleted while the listing goes on; 500 names a page, sorted. */
function names(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, n) => `q${String(from + n).padStart(5, "0")}`);
}

describe("managementDirectory", () => {
  it("misses no queue and shows none twice when pages shift meanwhile", async () => {
    let queues = [...names(0, 700)];
    await using broker = await fakeBroker((request, response) => {
      const url = new URL(request.url ?? "", "http://x");
      if (url.pathname !== "/api/queues/v") {
        const name = url.pathname.split("/").at(-1) ?? "";
        return json(response, queues.includes(name) ? 200 : 404, { name, effective_policy_definition: {} });
      }
      const items = queues.map((name) => ({ name, effective_policy_definition: {} }));
      if (!url.searchParams.has("page")) return json(response, 200, items);
      const page = Number(url.searchParams.get("page"));
      json(response, 200, {
        items: items.slice((page - 1) * 500, page * 500),
        page_count: 2,
        total_count: queues.length,
      });
      // Between the pages: the first queue goes, so q00500 moves to the page already seen, and one more comes.
      if (page === 1) queues = [...queues.slice(1), "zz"];
    });
    using directory = managementDirectory({ urls: [broker.url] });

    const found = await directory.queues("v");

    expect(found.map((queue) => queue.name)).toEqual([...names(1, 700), "zz"]);
  });

  it("sees alarms in a refusal", async () => {
    await using broker = await fakeBroker((_, response) =>
      json(response, 503, {
        reason: "There are alarms in effect in the cluster",
        alarms: [{ node: "rabbit@a", resource: "memory" }],
      }),
    );
    using directory = managementDirectory({ urls: [broker.url] });
    expect(await directory.alarms()).toEqual([{ node: "rabbit@a", resource: "memory" }]);
  });

  it("does not take another 503 for alarms or for none", async () => {
    await using broker = await fakeBroker((_, response) => json(response, 503, { reason: "starting" }));
    using directory = managementDirectory({ urls: [broker.url] });
    await expect(directory.alarms()).rejects.toMatchObject({ code: "MANAGEMENT_REFUSED" });
  });

  it.each([
    [200, "<html>welcome</html>", "management API did not answer /overview as RabbitMQ does"],
    [200, "{}", "management API did not answer /overview as RabbitMQ does"],
    [404, "<html>not here</html>", "knows no /overview"],
    [500, '{"error":"oops","reason":"broken"}', "refused /overview: broken"],
  ])("refuses a server that answers %i %s", async (status, body, message) => {
    await using broker = await fakeBroker((_, response) => response.writeHead(status).end(body));
    using directory = managementDirectory({ urls: [broker.url] });
    await expect(directory.describe()).rejects.toMatchObject({
      code: "MANAGEMENT_REFUSED",
      message: expect.stringContaining(message),
    });
  });
});
