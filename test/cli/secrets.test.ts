import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli, type CliResult, type RunningCli } from "../lab/cli.ts";
import { faultHook } from "../lab/fault-hook.ts";
import { freePort } from "../lab/free-port.ts";
import { startPingService, type PingService } from "../lab/ping-service.ts";
import { plantedBelow, plantedIn, seenOfProcess, type Planted } from "../lab/planted.ts";
import { fill } from "../lab/publish.ts";
import { declareQueue } from "../lab/queues.ts";
import { committedAt, newScene, type Scene } from "../lab/scene.ts";
import { makeKey, NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";
import { newestBroker } from "../lab/shared-brokers.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";

type Env = Readonly<Record<string, string>>;

/** No secret: found where something is, it shows that a secret would have been. */
const QUEUE = `q-${token()}`;
const SET = `set-${token()}`;

let scene: Scene;
let ping: PingService;
let echo: Server;
let ssh: SftpServer | null = null;
/** The files of secrets. */
let keys: TempDirectory;
/** All that mqbackup may write to: targets, spool, state, home, temporary and working directory. */
let places: TempDirectory;
let recipient: string;
let planted: Planted;
/** Every run has these. */
let base: Env;
let reading: Env;
let writing: Env;
const printed: string[] = [];

beforeAll(async () => {
  [scene, ping, keys, places] = await Promise.all([
    newScene(newestBroker()),
    startPingService(),
    tempDirectory(),
    tempDirectory(),
  ]);
  echo = await startEcho();
  if (NO_SSHD === null) ssh = await startSftpServer();
  for (const name of ["target", "phrase", "plain", "spool", "state", "home", "tmp", "work", "metrics"])
    await mkdir(places.join(name));
  const identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  const tls = makeTlsKey();
  const core = token();
  planted = {
    "broker password": scene.secret,
    "AWS secret key": core,
    "AWS session token": token(),
    identity: identity.slice("AGE-SECRET-KEY-1".length),
    passphrase: token(),
    "passphrase of the file": token(),
    "new passphrase": token(),
    "ping token": ping.token,
    "SFTP password": token(),
    "passphrase of the SSH key": token(),
    "TLS key": tls.secret,
  };
  for (const [name, text] of [
    ["password", scene.password],
    ["wrong-password", `${scene.password} not`],
    ["identity", identity],
    ["mistyped", `${identity.slice(0, -1)}${identity.endsWith("Q") ? "P" : "Q"}`],
    ["passphrase", secret("passphrase of the file")],
    ["tls-key", tls.pem],
    ["sftp-password", secret("SFTP password")],
    ["ssh-passphrase", secret("passphrase of the SSH key")],
  ] as const)
    await writeFile(keys.join(name), `${text}\n`);
  base = {
    MQBACKUP_URL: scene.url().replace(/:[^:@/]*@/, "@"),
    MQBACKUP_MANAGEMENT_URL: scene.broker.managementUrl,
    MQBACKUP_PASSWORD_FILE: keys.join("password"),
    MQBACKUP_TARGET: places.join("target"),
    MQBACKUP_SET: SET,
    MQBACKUP_SPOOL_DIR: places.join("spool"),
    MQBACKUP_STATE_DIR: places.join("state"),
    MQBACKUP_METRICS_FILE: places.join("metrics", "mqbackup.prom"),
    MQBACKUP_PING_URL: ping.url,
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    // Looks otherwise within JSON, and in what is printed for people.
    AWS_SECRET_ACCESS_KEY: `${core}"\\/\u200B`,
    AWS_SESSION_TOKEN: secret("AWS session token"),
    AWS_REGION: "us-east-1",
    HOME: places.join("home"),
    TMPDIR: places.join("tmp"),
  };
  writing = { MQBACKUP_RECIPIENT: recipient };
  reading = { MQBACKUP_IDENTITY_FILE: keys.join("identity") };
  await declareQueue(scene.vhost, QUEUE, "classic");
  await fill(scene.vhost, QUEUE, 20);
});

afterAll(async () => {
  echo.closeAllConnections();
  echo.close();
  await ssh?.[Symbol.asyncDispose]();
  for (const each of [scene, ping, keys, places]) await each[Symbol.asyncDispose]();
});

function token(): string {
  return randomBytes(12)
    .toString("hex")
    .replaceAll(/\d/g, (digit) => "ghijkmnopq"[Number(digit)] ?? "");
}

/** Its own part has no letter that looks otherwise in a URL. */
function makeTlsKey(): { readonly pem: string; readonly secret: string } {
  for (;;) {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const [, own] = /^M.{21}([A-Za-z0-9]{42})$/m.exec(pem) ?? [];
    if (own !== undefined) return { pem, secret: own };
  }
}

function secret(name: string): string {
  return planted[name] ?? "";
}

/** A store that refuses everybody, and quotes what it was told. */
async function startEcho(): Promise<Server> {
  const server = createServer((request, response) => {
    const told = JSON.stringify(request.headers).replaceAll(/[<>&]/g, "");
    response.writeHead(400, { "content-type": "application/xml" });
    response.end(`<Error><Code>Quoted</Code><Message>no: ${told}</Message></Error>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function s3Target(port: number): string {
  return `s3://bucket/rabbit?endpoint=http://127.0.0.1:${port}&pathStyle=true`;
}

async function portOf(server: Server): Promise<number> {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const options = (env: Env) => ({ env: { ...base, ...env }, cwd: places.join("work") });

/** Ends with this status and shows no secret. */
async function run(status: number, args: readonly string[], env: Env = {}): Promise<CliResult> {
  const result = await runCli(args, options(env));
  return expectSilent(result, status, args.join(" "));
}

function expectSilent(result: CliResult, status: number | null, what: string): CliResult {
  const text = result.stdout + result.stderr;
  printed.push(text);
  expect(plantedIn(text, planted), what).toEqual([]);
  expect(result.status, `${what}:\n${text}`).toBe(status);
  return result;
}

async function expectNothingWritten(): Promise<void> {
  expect(await plantedBelow(places.path, planted)).toEqual([]);
  expect(await readdir(places.join("work")), "dumps and reports").toEqual([]);
}

/** Files below the places that hold what is no secret. */
async function filesWith(text: string): Promise<string> {
  return (await plantedBelow(places.path, { it: text })).join("\n");
}

/** Runs until such a file would be finished, looks at everything, and goes on with `then`. */
async function stopped(
  hold: RegExp,
  args: readonly string[],
  env: Env,
  then: (running: RunningCli) => Promise<void>,
): Promise<void> {
  await using hook = await faultHook(hold, ["link", "rename"]);
  const { NODE_OPTIONS = "", ...more } = hook.env;
  const crash = `data:text/javascript,${encodeURIComponent(
    `process.on("SIGUSR2", () => { throw new Error("crash " + process.env.AWS_SECRET_ACCESS_KEY) })`,
  )}`;
  await using running = await startCli(
    args,
    options({ ...env, ...more, NODE_OPTIONS: `${NODE_OPTIONS} --import ${crash}` }),
  );
  await hook.held();
  const seen = await seenOfProcess(running.pid);
  expect(seen).toContain(QUEUE);
  expect(plantedIn(seen, planted), "arguments and names of processes").toEqual([]);
  await expectNothingWritten();
  await then(running);
  await expectNothingWritten();
}

test("a search that would find them: in every file of secrets, and in every encoding", async () => {
  const inFiles = await plantedBelow(keys.path, planted);
  expect(inFiles).toEqual(
    expect.arrayContaining([
      "broker password in password",
      "identity in identity",
      "passphrase of the file in passphrase",
      "TLS key in tls-key",
      "SFTP password in sftp-password",
      "passphrase of the SSH key in ssh-passphrase",
    ]),
  );
  for (const [name, text] of Object.entries(planted)) {
    for (const before of ["", "u", "u:", "us:"]) {
      const whole = `${before}${text}`;
      const encoded = [whole, encodeURIComponent(whole), JSON.stringify({ whole })];
      for (const encoding of ["base64", "base64url", "hex"] as const)
        encoded.push(Buffer.from(`${whole} and more`).toString(encoding));
      for (const each of encoded) expect(plantedIn(each, planted)).toEqual([name]);
    }
  }
});

test("settings are printed without them", async () => {
  const { MQBACKUP_PASSWORD_FILE: _file, ...others } = base;
  const all = {
    ...others,
    MQBACKUP_URL: scene.url(),
    MQBACKUP_PASSWORD: scene.password,
    MQBACKUP_PASSPHRASE: secret("passphrase"),
    MQBACKUP_NEW_PASSPHRASE: secret("new passphrase"),
  };
  for (const more of [[], ["--json"]]) {
    const args = ["check", "--print-settings", ...more];
    const result = await runCli(args, { env: all, cwd: places.join("work") });
    expectSilent(result, 0, args.join(" "));
    expect(result.stdout).toContain(SET);
    expect(result.stdout).toContain("***");
  }
});

test("a run in the middle, which crashes, and the next ones", async () => {
  await stopped(/manifest\.json/, ["full", "--verbose", "--queue", QUEUE], writing, async (running) => {
    expect(await filesWith(SET), "the lease").toMatch(/lease/);
    process.kill(running.pid, "SIGUSR2");
    const result = expectSilent(await running.result, 1, "crash");
    expect(result.stderr).toMatch(/internal error: crash \*\*\*/);
    expect(result.stderr).toMatch(/^ +at /m);
  });
  await run(0, ["check", "--json"]);
  await run(0, ["full", "--json"], writing);
  await run(0, ["incremental", "--verbose"], { ...writing, ...reading });
  await run(0, ["full", "--target", places.join("plain")], { MQBACKUP_URL: scene.url() });
  const found = await filesWith(QUEUE);
  expect(found).toMatch(/plain\/.*manifest\.json/);
  expect(found).toMatch(/plain\/.*index\.tar\.zst/);
  expect(await filesWith("mqbackup_last_run_status")).toMatch(/metrics/);
});

test("reading, restoring and giving away", async () => {
  await Promise.all(
    [
      ["list", "--json"],
      ["show", "latest", "--json"],
      ["verify", "--records", "--verbose"],
      ["cat", "latest"],
    ].map(async (args) => run(0, args, args[0] === "list" ? {} : reading)),
  );
  const restore = ["restore", "--id", "latest", "--map", `${QUEUE}=r`];
  await stopped(/restores\//, restore, reading, async (running) => {
    expect(await filesWith(QUEUE), "how far it came").toMatch(/^it in state\//m);
    running.kill("SIGKILL");
    expectSilent(await running.result, null, "restore");
  });
  await run(0, [...restore, "--json", "--append"], reading);
  await run(0, ["prune", "--keep-last", "1"]);
  await run(0, ["rekey", "--dry-run"], { ...reading, MQBACKUP_NEW_PASSPHRASE: secret("new passphrase") });
  await expectNothingWritten();
});

test("failures at the broker, with stack traces", async () => {
  const verbose = ["full", "--verbose"];
  const result = await run(4, verbose, { ...writing, MQBACKUP_PASSWORD_FILE: keys.join("wrong-password") });
  expect(result.stderr).toMatch(/^ +at /m);
  const tls = {
    MQBACKUP_URL: scene.url().replace("amqp:", "amqps:"),
    MQBACKUP_TLS_KEY: keys.join("tls-key"),
    MQBACKUP_TLS_CERT: keys.join("tls-key"),
  };
  await run(4, ["check", "--verbose", "--json"], tls);
  const dead = { MQBACKUP_PING_URL: ping.url.replace(/:\d+\//, `:${await freePort()}/`) };
  const warned = await run(0, ["verify"], dead);
  expect(warned.stderr).toMatch(/ping to http:\/\/127\.0\.0\.1:\d+\/\*\*\* failed/);
});

test("failures at S3, also of a store that quotes what it was told", async () => {
  const echoing = s3Target(await portOf(echo));
  const closed = s3Target(await freePort());
  const three = ["--target", places.join("target"), "--target", echoing, "--target", closed];
  for (const more of [[], ["--json"]]) {
    const result = await run(5, ["full", "--verbose", "--target", echoing, ...more], writing);
    expect(result.stderr).toMatch(/the store answers 400 Quoted/);
    await run(5, ["copy", ...three, ...more]);
  }
  await run(5, ["list", "--verbose", "--target", closed]);
  await expectNothingWritten();
});

test("passphrases and keys that open nothing", async () => {
  const at = ["--target", places.join("phrase")];
  await run(0, ["full", ...at], { MQBACKUP_PASSPHRASE: secret("passphrase") });
  const wrong = { MQBACKUP_PASSPHRASE_FILE: keys.join("passphrase") };
  await run(12, ["cat", "latest", "--verbose", ...at], wrong);
  await run(2, ["verify", "--verbose", "--json"], { MQBACKUP_IDENTITY_FILE: keys.join("mistyped") });
  const itself = { MQBACKUP_IDENTITY_FILE: (await readFile(keys.join("identity"), "utf8")).trim() };
  const refused = await run(2, ["verify", "--verbose"], itself);
  expect(refused.stderr).toMatch(/is given an identity, and not the file that holds it/);
  expect((await run(0, ["check", "--print-settings"], itself)).stdout).toMatch(
    /\*\*\*.*MQBACKUP_IDENTITY_FILE/,
  );
  await run(2, ["full", "--verbose"], { MQBACKUP_RECIPIENTS_FILE: keys.join("identity") });
  await run(2, ["full", "--verbose"], { MQBACKUP_RECIPIENT: await readFile(keys.join("identity"), "utf8") });
  await expectNothingWritten();
});

test.skipIf(NO_SSHD !== null)(
  "an SFTP server, with a key that has a passphrase, and with a password",
  async () => {
    if (ssh === null) throw new Error("no server");
    const key = keys.join("ssh-key");
    await makeKey(key, secret("passphrase of the SSH key"));
    await appendFile(ssh.join("authorized_keys"), await readFile(`${key}.pub`));
    await mkdir(ssh.join("files"));
    const target = (query: Env): string =>
      `sftp://${ssh?.user}@127.0.0.1:${ssh?.port}${ssh?.join("files")}?${new URLSearchParams({ knownHosts: ssh?.knownHosts ?? "", ...query }).toString()}`;
    const byKey = target({ identityFile: key, passphraseFile: keys.join("ssh-passphrase") });
    await run(0, ["copy", "--target", places.join("target"), "--target", byKey, "--json"]);
    const directory = ssh.join("files");
    expect(await committedAt(directory)).not.toEqual([]);
    expect(await plantedBelow(directory, planted)).toEqual([]);
    await run(5, ["list", "--verbose", "--target", target({ passwordFile: keys.join("sftp-password") })]);
    const wrong = target({ identityFile: key, passphraseFile: keys.join("sftp-password") });
    await run(2, ["list", "--verbose", "--json", "--target", wrong]);
  },
);

test("what was printed is what was looked through", () => {
  const text = printed.join("\n");
  for (const shown of [QUEUE, SET, places.path]) expect(text).toContain(shown);
  expect(printed.length).toBeGreaterThan(20);
});
