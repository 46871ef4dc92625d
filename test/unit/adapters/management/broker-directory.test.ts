import { describe, expect, it } from "vitest";

import { managementDirectory } from "../../../../src/adapters/management/broker-directory.ts";
import { fakeBroker, json } from "./fake-broker.ts";

describe("managementDirectory", () => {
  it("asks for all queues at once, twice: as measured and as kept", async () => {
    await using broker = await fakeBroker((_, response) =>
      json(response, 200, [
        { name: "b", effective_policy_definition: {} },
        { name: "a", effective_policy_definition: {} },
      ]),
    );
    using directory = managementDirectory({ urls: [broker.url] });
    expect((await directory.queues("v/1")).map((queue) => queue.name)).toEqual(["a", "b"]);
    expect(broker.asked).toEqual([
      expect.stringMatching(/^\/api\/queues\/v%2F1\?columns=name,/),
      expect.stringMatching(/^\/api\/queues\/v%2F1\?disable_stats=true&columns=name,/),
    ]);
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
