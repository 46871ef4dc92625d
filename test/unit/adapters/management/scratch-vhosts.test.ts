import { describe, expect, it } from "vitest";
import { scratchVhosts } from "../../../../src/adapters/management/scratch-vhosts.ts";
import { fakeBroker, json, type FakeBroker } from "./fake-broker.ts";

const NAME = "mqbackup.drill.run.1";

/** Answers each request by "METHOD path" with a status and a body, and keeps what was asked. */
async function answering(
  answers: Readonly<Record<string, readonly [status: number, body?: unknown]>>,
): Promise<{ readonly broker: FakeBroker; readonly asked: unknown[] }> {
  const asked: unknown[] = [];
  const broker = await fakeBroker((request, response) => {
    let text = "";
    request.on("data", (part: Buffer) => (text += part.toString()));
    request.on("end", () => {
      const what = `${request.method} ${request.url}`;
      asked.push(text === "" ? what : [what, JSON.parse(text)]);
      const [status, body] = answers[what] ?? [500];
      if (body === undefined) response.writeHead(status).end();
      else json(response, status, body);
    });
  });
  return { broker, asked };
}

describe("virtual hosts of drills", () => {
  it("are listed by name and tag: nobody else's are", async () => {
    const { broker } = await answering({
      "GET /api/vhosts?columns=name,description,tags": [
        200,
        [
          { name: "/", description: "Default virtual host", tags: [] },
          { name: NAME, description: "d", tags: ["mqbackup-drill"] },
          { name: "mqbackup.drill.old", description: "o", tags: "a,mqbackup-drill" },
          { name: "mqbackup.drill.by-hand", description: "d", tags: [] },
          { name: "mqbackup.drill.bare" },
          { name: "orders", description: "d", tags: ["mqbackup-drill"] },
        ],
      ],
    });
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "u");
    expect(await hosts.list()).toEqual([
      { name: NAME, description: "d" },
      { name: "mqbackup.drill.old", description: "o" },
    ]);
  });

  it("are made with a description and a tag, for the user of the connections", async () => {
    const { broker, asked } = await answering({
      [`PUT /api/vhosts/${NAME}`]: [201],
      [`PUT /api/permissions/${NAME}/a%40b`]: [204],
    });
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "a@b");
    await hosts.create({ name: NAME, description: "d" });
    await hosts.permit(NAME);
    expect(asked).toEqual([
      [`PUT /api/vhosts/${NAME}`, { description: "d", tags: "mqbackup-drill" }],
      [`PUT /api/permissions/${NAME}/a%40b`, { configure: ".*", write: ".*", read: ".*" }],
    ]);
  });

  it.each([
    ["of the production", "/"],
    ["that only begins alike", "mqbackup.drills"],
  ])("neither make nor remove one %s", async (_what, name) => {
    const { broker, asked } = await answering({});
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "u");
    await expect(hosts.remove(name)).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(hosts.create({ name, description: "d" })).rejects.toMatchObject({ code: "INTERNAL" });
    expect(asked).toEqual([]);
  });

  it.each([
    [204, undefined],
    [404, { error: "Object Not Found", reason: "Not Found" }],
  ])("are removed, also those that are gone: %i", async (status, body) => {
    const { broker } = await answering({ [`DELETE /api/vhosts/${NAME}`]: [status, body] });
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "u");
    await expect(hosts.remove(NAME)).resolves.toBeUndefined();
  });

  it("are in use when somebody is connected", async () => {
    const path = `GET /api/vhosts/${NAME}/connections?columns=name`;
    for (const [status, body, inUse] of [
      [200, [], false],
      [200, [{ name: "c" }], true],
      [404, { error: "Object Not Found", reason: "Not Found" }, false],
    ] as const) {
      const { broker } = await answering({ [path]: [status, body] });
      await using _ = broker;
      using hosts = scratchVhosts({ urls: [broker.url] }, "u");
      expect(await hosts.isInUse(NAME)).toBe(inUse);
    }
  });

  it.each([
    [200, { name: "u", tags: ["administrator", "impersonator"] }, true],
    [200, { name: "u", tags: ["administrator"] }, false],
    [404, { error: "Object Not Found", reason: "Not Found" }, false],
  ])("the user's tags say whether it may impersonate: %i %o", async (status, body, may) => {
    const { broker } = await answering({ "GET /api/users/u?columns=name,tags": [status, body] });
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "u");
    expect(await hosts.mayImpersonate()).toBe(may);
  });
});

describe("a refusal", () => {
  it.each([
    [
      401,
      { error: "not_authorised", reason: "Not administrator user" },
      { code: "LOGIN_REFUSED", message: /the user lacks the tag administrator/, hint: /set_user_tags/ },
    ],
    [
      401,
      { error: "not_authorized", reason: "Login failed" },
      { code: "LOGIN_REFUSED", message: /wrong user or password/, hint: /password/ },
    ],
    [
      400,
      { error: "bad_request", reason: "vhost limit of 5 is reached" },
      { code: "MANAGEMENT_REFUSED", message: /refused .*: vhost limit of 5 is reached/, hint: /log/ },
    ],
    [500, undefined, { code: "MANAGEMENT_REFUSED", message: /status 500/, hint: /./ }],
  ])("%i is told as what it is: %o", async (status, body, { code, message, hint }) => {
    const { broker } = await answering({ [`PUT /api/vhosts/${NAME}`]: [status, body] });
    await using _ = broker;
    using hosts = scratchVhosts({ urls: [broker.url] }, "u");
    await expect(hosts.create({ name: NAME, description: "d" })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
      hint: expect.stringMatching(hint) as string,
    });
  });
});
