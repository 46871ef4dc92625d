import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";

import { brokerAccess } from "../../../src/cli/broker-access.ts";
import { resolveSettings } from "../../../src/cli/settings.ts";
import { tempDirectory } from "../../lab/temp.ts";

async function access(env: Readonly<Record<string, string>>, flags: Readonly<Record<string, unknown>> = {}) {
  await using directory = await tempDirectory();
  await writeFile(directory.join("password"), "p@ss/w%rd\n");
  await writeFile(directory.join("empty"), "\n");
  await writeFile(directory.join("ca.pem"), "CA");
  const inside = Object.fromEntries(
    Object.entries(env).map(([key, text]) => [key, text.replace("DIR", directory.path)]),
  );
  const { settings } = await resolveSettings(
    { command: "check", flags, env: inside, cwd: directory.path },
    () => undefined,
  );
  return await brokerAccess(settings);
}

describe("brokerAccess", () => {
  it("is guest's on this machine without any settings", async () => {
    expect(await access({})).toMatchObject({
      urls: ["amqp://guest:guest@localhost:5672"],
      managementUrls: ["http://guest:guest@localhost:15672/"],
      vhost: "/",
      shownUrl: "amqp://localhost:5672",
      auth: "plain",
    });
  });

  it("fills in the password of a file, encoded, for every URL and the management API", async () => {
    const found = await access(
      { MQBACKUP_PASSWORD_FILE: "DIR/password", MQBACKUP_TLS_CA: "DIR/ca.pem" },
      { url: ["amqps://joe@one/orders%2Feu", "amqps://joe@[::1]:999/orders%2Feu"] },
    );
    expect(found.urls).toEqual([
      "amqps://joe:p%40ss%2Fw%25rd@one/orders%2Feu",
      "amqps://joe:p%40ss%2Fw%25rd@[::1]:999/orders%2Feu",
    ]);
    expect(found.managementUrls).toEqual([
      "https://joe:p%40ss%2Fw%25rd@one:15671/",
      "https://joe:p%40ss%2Fw%25rd@[::1]:15671/",
    ]);
    expect(found).toMatchObject({
      vhost: "orders/eu",
      shownUrl: "amqps://one/orders%2Feu",
      secrets: ["p@ss/w%rd"],
    });
    expect(found.tls.ca?.toString()).toBe("CA");
  });

  it("takes the broker's login for a management URL without one, and leaves one that has its own", async () => {
    const env = {
      MQBACKUP_URL: "amqp://joe:a%40b@one",
      MQBACKUP_MANAGEMENT_URL: "http://m:1,http://ann:x@m:2/prefix",
    };
    expect((await access(env)).managementUrls).toEqual(["http://joe:a%40b@m:1/", "http://ann:x@m:2/prefix"]);
  });

  it("does without the management API when told", async () => {
    expect((await access({ MQBACKUP_MANAGEMENT_URL: "none" })).managementUrls).toBeNull();
  });

  it.each([
    [{ MQBACKUP_URL: "amqp://joe@host" }, "there is no password for user joe of amqp://joe@host"],
    [{ MQBACKUP_URL: "amqp://h1/a,amqp://h2/b" }, "the broker URLs name different virtual hosts, a and b"],
    [{ MQBACKUP_PASSWORD_FILE: "DIR/none" }, "cannot be read (ENOENT)"],
    [{ MQBACKUP_PASSWORD_FILE: "DIR/empty" }, "is empty"],
  ])("refuses %j", async (env, message) => {
    await expect(access(env)).rejects.toMatchObject({
      code: "SETTING_INVALID",
      message: expect.stringContaining(message),
    });
  });
});
