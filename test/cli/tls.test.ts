import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startBroker, type OwnBroker } from "../lab/brokers.ts";
import { runCli } from "../lab/cli.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";
import { makeAuthority, type LabAuthority } from "../lab/tls.ts";
import { freshVhost, type LabVhost } from "../lab/vhost.ts";

let authority: LabAuthority;
let broker: OwnBroker;
let vhost: LabVhost;
let directory: TempDirectory;
let env: Record<string, string>;

beforeAll(async () => {
  authority = await makeAuthority();
  broker = await startBroker({
    version: "4.3",
    tls: authority,
    plugins: ["rabbitmq_auth_mechanism_ssl"],
    configLines: [
      "auth_mechanisms.1 = PLAIN",
      "auth_mechanisms.2 = EXTERNAL",
      "ssl_cert_login_from = common_name",
      // Asked for a certificate, clients without one are taken all the same.
      "ssl_options.verify = verify_peer",
    ],
  });
  vhost = await freshVhost(broker, "tls");
  directory = await tempDirectory();
  await mkdir(directory.join("target"));
  await writeFile(directory.join("password"), "guest\n");
  await declareQueue(vhost, "q", "classic");
  await fill(vhost, "q", 20);
  env = {
    MQBACKUP_URL: `${broker.amqpsUrl?.replace(":guest@", "@")}/${vhost.name}`,
    MQBACKUP_MANAGEMENT_URL: broker.managementTlsUrl ?? "",
    MQBACKUP_PASSWORD_FILE: directory.join("password"),
    MQBACKUP_TARGET: directory.join("target"),
  };
}, 180_000);

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
  await authority[Symbol.asyncDispose]();
});

describe("over TLS", () => {
  test("backs up from and restores to a broker whose authority is named", async () => {
    const trusted = { ...env, MQBACKUP_TLS_CA: authority.files.ca };
    const full = await runCli(["full"], { env: trusted });
    expect(full).toMatchObject({ status: 0, stdout: expect.stringMatching(/^q +classic +complete +20 /m) });
    const restore = await runCli(["restore", "--id", "latest", "--map", "q=r"], { env: trusted });
    expect(restore).toMatchObject({ status: 0, stdout: expect.stringContaining("20 messages published") });
  });

  test.each([
    ["the management API", {}],
    ["AMQP", { MQBACKUP_MANAGEMENT_URL: "none", MQBACKUP_QUEUE: "q", MQBACKUP_QUEUE_TYPE: "classic" }],
  ])("trusts no unknown authority at %s", async (_, more) => {
    const result = await runCli(["full"], { env: { ...env, ...more } });
    expect(result).toMatchObject({ status: 4, stdout: "", stderr: expect.stringMatching(/certificate/) });
    expect(result.stderr).toMatch(/--tls-ca/);
  });

  test("trusts no certificate of another host", async () => {
    const elsewhere = (url: string): string => url.replace("localhost", "127.0.0.2");
    const result = await runCli(["full"], {
      env: {
        ...env,
        MQBACKUP_TLS_CA: authority.files.ca,
        MQBACKUP_MANAGEMENT_URL: elsewhere(env["MQBACKUP_MANAGEMENT_URL"] ?? ""),
      },
    });
    // On machines where 127.0.0.2 is not answered at all the refusal is another one.
    expect(result).toMatchObject({ status: 4, stdout: "" });
    expect(result.stderr).toMatch(/its certificate is for another host name|connection refused/);
  });

  test("logs in by a client certificate", async () => {
    const external = {
      MQBACKUP_URL: `${broker.amqpsUrl?.replace("guest:guest@", "")}/${vhost.name}`,
      MQBACKUP_AUTH: "external",
      MQBACKUP_TLS_CA: authority.files.ca,
      MQBACKUP_TLS_CERT: authority.files.clientCert,
      MQBACKUP_TLS_KEY: authority.files.clientKey,
      MQBACKUP_MANAGEMENT_URL: "none",
      MQBACKUP_TARGET: directory.join("target"),
    };
    const full = await runCli(["full", "--queue", "q", "--queue-type", "classic"], { env: external });
    expect(full).toMatchObject({ status: 0, stdout: expect.stringMatching(/^q +classic +complete +20 /m) });
  });
});
