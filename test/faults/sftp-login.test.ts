import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { sftpStore } from "../../src/adapters/store/sftp-store.ts";
import { parseSftpLocation } from "../../src/domain/sftp-location.ts";
import type { Store } from "../../src/ports/store.ts";
import { body, keysOf } from "../contract/store-suite.ts";
import { startBareSftpService } from "../fakes/bare-sftp-service.ts";
import { makeKey, NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";
import { tempDirectory, type TempDirectory } from "../lab/temp.ts";

const run = promisify(execFile);
const AGENT = "ssh-agent";
const SECRET = "s3cr3t-planted";

describe.skipIf(NO_SSHD !== null)(`login${NO_SSHD === null ? "" : ` (${NO_SSHD})`}`, () => {
  let server: SftpServer;
  let files: TempDirectory;
  beforeAll(async () => {
    files = await tempDirectory();
    // Of another type than the one everybody knows.
    await makeKey(files.join("host_ecdsa"), "", "ecdsa");
    server = await startSftpServer([`HostKey ${files.join("host_ecdsa")}`]);
    await mkdir(server.join("base"));
    await mkdir(files.join("home/.ssh"), { recursive: true });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
  });
  afterEach(() => vi.unstubAllEnvs());

  /** Of the server, with these options instead of all others, by a user with nothing in his home but what a test puts there. */
  function storeWith(options: Readonly<Record<string, string>>): Store {
    vi.stubEnv("HOME", files.join("home"));
    const text = new URLSearchParams({ knownHosts: server.knownHosts, ...options }).toString();
    const where = `sftp://${server.user}@127.0.0.1:${server.port}${server.join("base")}?${text}`;
    return sftpStore(parseSftpLocation(where));
  }

  async function knownHosts(name: string, ...lines: readonly string[]): Promise<string> {
    await writeFile(files.join(name), lines.map((line) => `${line}\n`).join(""));
    return files.join(name);
  }

  async function publicKey(file: string): Promise<string> {
    const [type, key] = (await readFile(`${file}.pub`, "utf8")).split(" ");
    return `${type} ${key}`;
  }

  async function expectRefused(store: Store, code: string, message: RegExp, hint: RegExp): Promise<void> {
    for (const call of [async () => keysOf(store, ""), async () => store.put("a", body("x"))]) {
      const failure = await call().catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      });
      expect(`${String(failure)}${JSON.stringify(failure)}`).not.toContain(SECRET);
    }
  }

  test("a host nobody knows: its fingerprint, and what to do", async () => {
    const store = storeWith({
      identityFile: server.identityFile,
      knownHosts: await knownHosts("empty", "other.example ssh-ed25519 AAAA"),
    });
    await expectRefused(
      store,
      "TARGET_REFUSED",
      new RegExp(`127\\.0\\.0\\.1:${server.port} is not known: .*${fingerprintIn(server.fingerprint)}`),
      new RegExp(`Compare this fingerprint.*ssh-keyscan -p ${server.port} 127\\.0\\.0\\.1 >> .*empty`),
    );
  });

  test("a host that shows another key, or one that was revoked", async () => {
    await makeKey(files.join("another"));
    const [was, is] = [await publicKey(files.join("another")), await publicKey(server.join("host_key"))];
    const changed = storeWith({
      identityFile: server.identityFile,
      knownHosts: await knownHosts("changed", `[127.0.0.1]:* ${was}`),
    });
    const hint = /Somebody may be listening in/;
    const message = new RegExp(`shows another key .*${fingerprintIn(server.fingerprint)}`);
    await expectRefused(changed, "TARGET_REFUSED", message, hint);
    const revoked = storeWith({
      identityFile: server.identityFile,
      knownHosts: await knownHosts("revoked", `[127.0.0.1]:* ${is}`, `@revoked * ${is}`),
    });
    await expectRefused(revoked, "TARGET_REFUSED", /shows a key that is revoked/, /Do not use this host/);
  });

  test("a hashed name, and a key of the one type that is known", async () => {
    const ecdsa = await publicKey(files.join("host_ecdsa"));
    const file = await knownHosts("hashed", `[127.0.0.1]:${server.port} ${ecdsa}`);
    await run("ssh-keygen", ["-H", "-f", file]);
    expect(await readFile(file, "utf8")).toMatch(/^\|1\|/);
    const store = storeWith({ identityFile: server.identityFile, knownHosts: file });
    expect(await keysOf(store, "")).toEqual([]);
  });

  test("the keys of one's own home", async () => {
    await writeFile(files.join("home/.ssh/known_hosts"), await readFile(server.knownHosts));
    await writeFile(files.join("home/.ssh/id_ed25519"), await readFile(server.identityFile));
    vi.stubEnv("HOME", files.join("home"));
    vi.stubEnv("SSH_AUTH_SOCK", files.join("no agent here"));
    const where = `sftp://${server.user}@127.0.0.1:${server.port}${server.join("base")}`;
    expect(await keysOf(sftpStore(parseSftpLocation(where)), "")).toEqual([]);
    const relative = `sftp://${server.user}@127.0.0.1:${server.port}/~/no/such?identityFile=~/.ssh/id_ed25519`;
    await expect(keysOf(sftpStore(parseSftpLocation(relative)), "")).rejects.toMatchObject({
      code: "TARGET_MISSING",
      message: expect.stringContaining("/~/no/such does not exist"),
    });
    await writeFile(files.join("home/.ssh/id_ed25519"), "");
  });

  test("a key the host does not take, no key, a key that is none", async () => {
    await makeKey(files.join("stranger"));
    const hint = /identityFile=/;
    const stranger = storeWith({ identityFile: files.join("stranger") });
    await expectRefused(
      stranger,
      "TARGET_REFUSED",
      /does not take the login of .*: tried the key .*stranger/,
      hint,
    );
    vi.stubEnv("SSH_AUTH_SOCK", "");
    await expectRefused(
      storeWith({}),
      "TARGET_REFUSED",
      /there is no key to log in with|has a passphrase or is none/,
      hint,
    );
    const none = storeWith({ identityFile: server.knownHosts });
    await expectRefused(none, "SETTING_INVALID", /is no private key/, /Name the private key/);
    const missing = storeWith({ identityFile: files.join("nowhere") });
    await expectRefused(missing, "SETTING_INVALID", /nowhere cannot be read \(ENOENT\)/, /permissions/);
  });

  test("a key with a passphrase", async () => {
    const identityFile = files.join("locked");
    await makeKey(identityFile, SECRET);
    await appendFile(server.join("authorized_keys"), await readFile(`${identityFile}.pub`));
    await writeFile(files.join("right"), `${SECRET}\n`);
    await writeFile(files.join("wrong"), `not ${SECRET}\n`);
    const hint = /passphraseFile=/;
    await expectRefused(storeWith({ identityFile }), "SETTING_INVALID", /locked has a passphrase/, hint);
    const wrong = storeWith({ identityFile, passphraseFile: files.join("wrong") });
    await expectRefused(wrong, "SETTING_INVALID", /does not open with the passphrase/, hint);
    const right = storeWith({ identityFile, passphraseFile: files.join("right") });
    expect(await keysOf(right, "")).toEqual([]);
  });

  test("an agent", async () => {
    const socket = files.join("agent");
    const command = ["-D", "-a", socket];
    const agent = spawn(AGENT, command, { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(agent.stdout, "data");
      await run("ssh-add", ["-q", server.identityFile], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      vi.stubEnv("SSH_AUTH_SOCK", socket);
      expect(await keysOf(storeWith({}), "")).toEqual([]);
    } finally {
      const ended = once(agent, "exit");
      agent.kill();
      await ended;
    }
  });
});

test.each([false, true])("a password from a file, asked for in words: %s", async (interactive) => {
  await using service = await startBareSftpService({ password: SECRET, interactive });
  await using files = await tempDirectory();
  await writeFile(files.join("known_hosts"), `[127.0.0.1]:${service.port} ${service.hostKey}\n`);
  vi.stubEnv("HOME", files.path);
  vi.stubEnv("SSH_AUTH_SOCK", "");
  const storeWith = async (password: string): Promise<Store> => {
    await writeFile(files.join("password"), `${password}\n`);
    const options = `knownHosts=${files.join("known_hosts")}&passwordFile=${files.join("password")}`;
    return sftpStore(parseSftpLocation(`sftp://u@127.0.0.1:${service.port}/base?${options}`));
  };
  expect(await keysOf(await storeWith(SECRET), "")).toEqual(["a"]);
  expect(service.loggedInBy()).toBe(interactive ? "keyboard-interactive" : "password");
  const wrong = await keysOf(await storeWith(`not ${SECRET}`), "").catch((error: unknown) => error);
  expect(wrong).toMatchObject({
    code: "TARGET_REFUSED",
    message: expect.stringContaining("tried the password"),
  });
  expect(String(wrong)).not.toContain(SECRET);
  await expect(keysOf(await storeWith(""), "")).rejects.toMatchObject({ code: "SETTING_INVALID" });
});

test("a server without what puts rest on is refused, before anything is written", async () => {
  await using service = await startBareSftpService({ password: SECRET });
  await using files = await tempDirectory();
  await writeFile(files.join("known_hosts"), `[127.0.0.1]:${service.port} ${service.hostKey}\n`);
  await writeFile(files.join("password"), SECRET);
  vi.stubEnv("HOME", files.path);
  const options = `knownHosts=${files.join("known_hosts")}&passwordFile=${files.join("password")}`;
  const store = sftpStore(parseSftpLocation(`sftp://u@127.0.0.1:${service.port}/base?${options}`));
  await expect(store.put("a", body("x"))).rejects.toMatchObject({
    code: "TARGET_REFUSED",
    message: expect.stringMatching(
      /cannot keep backups safely: the server does not offer fsync@openssh\.com/,
    ),
  });
  expect(await store.capacity()).toBe(null);
});

function fingerprintIn(text: string): string {
  return text.replaceAll(/[+/]/g, String.raw`\$&`);
}
