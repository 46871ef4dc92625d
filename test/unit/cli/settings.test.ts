import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { RawValue } from "../../../src/cli/raw-settings.ts";
import { SETTING_KEYS, flagOf, settingEntry, variableOf } from "../../../src/cli/setting-table.ts";
import { listSettings } from "../../../src/cli/settings-listing.ts";
import { resolveSettings, type SettingSources } from "../../../src/cli/settings.ts";
import { tempDirectory, type TempDirectory } from "../../lab/temp.ts";

let empty: TempDirectory;
let configured: TempDirectory;

beforeAll(async () => {
  [empty, configured] = [await tempDirectory(), await tempDirectory()];
  await writeFile(
    configured.join("mqbackup.yaml"),
    "target: /from/file\nparallel: 3\nmaxHold: 5m\ndrain: true\nqueue:\n  - a.*\n  - 12\nset: nightly\n",
  );
});
afterAll(async () => {
  await empty[Symbol.asyncDispose]();
  await configured[Symbol.asyncDispose]();
});

/** What was to be kept secret, of all tests. */
const secrets: string[] = [];

function resolve(sources: Partial<SettingSources>) {
  const { flags = {}, env = {}, cwd = empty.path, command = "check" } = sources;
  return resolveSettings({ command, flags, env, cwd }, (text) => secrets.push(text));
}

async function rejection(sources: Partial<SettingSources>): Promise<unknown> {
  return resolve(sources).then(
    () => "no error",
    (error: unknown) => error,
  );
}

describe("resolveSettings", () => {
  it("has defaults", async () => {
    const { settings } = await resolve({});
    expect(settings).toMatchObject({
      url: ["amqp://localhost:5672"],
      managementUrl: [],
      parallel: 4,
      maxHold: 14 * 60_000,
      holdMemory: { part: 0.5 },
      rate: null,
      drain: false,
      accept: [],
    });
  });

  it("takes flags over environment over file over defaults, each wholly", async () => {
    const { settings, raw } = await resolve({
      command: "full",
      cwd: configured.path,
      env: { MQBACKUP_MAX_HOLD: "2m", MQBACKUP_PARALLEL: "8", MQBACKUP_QUEUE: "b.*" },
      flags: { parallel: "16" },
    });
    expect(settings).toMatchObject({
      target: ["/from/file"],
      parallel: 16,
      maxHold: 120_000,
      drain: true,
      set: "nightly",
    });
    expect(settings.queue.map(({ text }) => text)).toEqual(["b.*"]);
    expect([
      raw.get("parallel")?.origin,
      raw.get("maxHold")?.origin,
      raw.get("set")?.origin,
      raw.get("auth")?.origin,
    ]).toEqual(["--parallel", "MQBACKUP_MAX_HOLD", "set in ./mqbackup.yaml", "default"]);
  });

  it("lets the environment switch off what the file switches on", async () => {
    const { settings } = await resolve({
      command: "full",
      cwd: configured.path,
      env: { MQBACKUP_DRAIN: "false" },
    });
    expect(settings.drain).toBe(false);
  });

  it("reads the file it is told, by flag over environment, and misses it", async () => {
    await writeFile(empty.join("other.yaml"), "parallel: 7\n");
    expect((await resolve({ flags: { config: "other.yaml" } })).settings.parallel).toBe(7);
    expect((await resolve({ env: { MQBACKUP_CONFIG: empty.join("other.yaml") } })).settings.parallel).toBe(7);
    expect(await rejection({ flags: { config: "none.yaml" } })).toMatchObject({
      code: "SETTING_INVALID",
      message: "configuration file none.yaml does not exist",
    });
  });

  it("splits lists of the environment by commas outside of braces, or by lines", async () => {
    const queues = async (text: string) =>
      (await resolve({ env: { MQBACKUP_QUEUE: text } })).settings.queue.map((pattern) => pattern.text);
    expect(await queues("a, b.*,{c,d}e")).toEqual(["a", "b.*", "{c,d}e"]);
    expect(await queues("a,b\nc\n")).toEqual(["a,b", "c"]);
  });

  it("takes every flag from the environment too, and an empty variable for none, but where that would leave backups readable", async () => {
    const protecting = SETTING_KEYS.filter((key) => settingEntry(key).refuseEmpty);
    const others = SETTING_KEYS.filter((key) => !protecting.includes(key));
    const env = Object.fromEntries(others.map((key) => [variableOf(key), ""]));
    expect((await resolve({ env })).settings.parallel).toBe(4);
    expect(protecting).toEqual([
      "recipient",
      "recipientsFile",
      "passphrase",
      "passphraseFile",
      "newPassphrase",
      "newPassphraseFile",
    ]);
    for (const key of protecting) {
      expect(await rejection({ env: { [variableOf(key)]: "" } })).toMatchObject({ code: "SETTING_INVALID" });
    }
    expect(variableOf("tlsCa")).toBe("MQBACKUP_TLS_CA");
    expect(flagOf("managementUrl")).toBe("--management-url");
  });

  it.each<[Partial<SettingSources>, string, string]>([
    [
      { env: { MQBACKUP_TAGRET: "x" } },
      "unknown environment variable MQBACKUP_TAGRET",
      "Did you mean MQBACKUP_TARGET?",
    ],
    [
      { env: { MQBACKUP_WHATEVER_IT_IS: "x" } },
      "unknown environment variable MQBACKUP_WHATEVER_IT_IS",
      "--print-settings",
    ],
    [{ env: { MQBACKUP_MAX_HOLD: "10" } }, 'MQBACKUP_MAX_HOLD: "10" is not a duration such as 90s', ""],
    [{ flags: { parallel: "0" } }, '--parallel: "0" is not a whole number from 1 to 64', ""],
    [{ flags: { auth: "magic" } }, '--auth: "magic" is none of plain, external', ""],
    [{ flags: { url: ["http://x"] } }, '--url: "http://x" does not begin with amqp:// or amqps://', ""],
    [{ flags: { url: ["rabbit"] } }, '--url: "rabbit" is not a URL', ""],
    [{ flags: { url: ["amqp://u:12/secret@h"] } }, "--url: has an @ behind a /: write / as %2F", ""],
    [{ env: { MQBACKUP_URL: "amqp//u:secret@h" } }, 'MQBACKUP_URL: "amqp//u:***@h" is not a URL', ""],
    [{ env: { MQBACKUP_URL: "u:secret/@@h/v" } }, 'MQBACKUP_URL: "u:***@h/v" is not a URL', ""],
    [{ env: { MQBACKUP_URL: "amqp://u:se/cret@h" } }, 'MQBACKUP_URL: "amqp://u:***@h" is not a URL', ""],
    [
      { flags: { pingUrl: "htp://h/secret-token" } },
      '--ping-url: "htp://h/***" does not begin with http://',
      "",
    ],
    [{ env: { MQBACKUP_PING_URL: "secret-token" } }, 'MQBACKUP_PING_URL: "***" is not a URL', ""],
    [{ flags: { managementUrl: ["none", "http://x"] } }, "--management-url: none and something else", ""],
    [
      { flags: { map: ["x"] }, command: "restore" },
      '--map: queue mapping "x" is not of the form old=new',
      "",
    ],
    [{ flags: { rate: "fast" } }, '--rate: "fast" is not a rate', ""],
    [{ flags: { tlsCert: "a.pem" } }, "a TLS client certificate and its key come together", "--tls-key"],
    [{ flags: { auth: "external" } }, "--auth external needs amqps:// and a client certificate", ""],
    [
      { env: { MQBACKUP_PASSWORD: "a" }, flags: { passwordFile: "b" } },
      "the password is given twice, by MQBACKUP_PASSWORD and by --password-file",
      "",
    ],
    [{ flags: { allVhosts: true, vhost: ["a"] } }, "--all-vhosts and --vhost contradict each other", ""],
    [
      { flags: { queueType: "quorum" } },
      "--queue-type is only for use without the management API",
      "--management-url none",
    ],
    [
      { command: "verify", flags: { target: ["/x"], records: true }, env: { MQBACKUP_SAMPLE: "5%" } },
      "--records and MQBACKUP_SAMPLE contradict each other",
      "Keep one of them",
    ],
    [{ command: "verify", flags: { target: ["/x"], sample: "0%" } }, "--sample: a sample of nothing", ""],
    [{ command: "verify", flags: { target: ["/x"], sample: "5" } }, '--sample: "5" is not a percentage', ""],
    [{ command: "full" }, "no target is given", "MQBACKUP_TARGET"],
    [
      { command: "list", flags: { target: ["s3://bucket/x?regoin=eu-central-1"] } },
      "target s3://bucket has an unknown option regoin=",
      "Did you mean region=?",
    ],
    [
      { command: "full", flags: { target: ["s3://b1b/x", "s3://b1b//x/"] } },
      "target s3://b1b/x/ is given twice",
      "",
    ],
    [
      { command: "full", flags: { target: ["gs://bucket/x"] } },
      "target gs://... is not supported by this version",
      "s3://bucket/prefix",
    ],
    [{ command: "full", flags: { target: ["sftp://u:secret@h/x"] } }, "an SFTP target holds a password", ""],
    [{ command: "full", flags: { target: ["a", "a"] } }, "target a is given twice", ""],
    [{ command: "restore", flags: { target: ["a"] } }, "which backup to restore is not said", "--id latest"],
    [{ command: "drill", flags: { target: ["a"] } }, "which backup to drill is not said", "--id latest"],
    [
      { command: "drill", flags: { target: ["a"], id: "latest", managementUrl: ["none"] } },
      "a drill makes a virtual host, which only the management API can do",
      "--management-url none",
    ],
    [
      {
        command: "drill",
        flags: {
          target: ["a"],
          id: "latest",
          auth: "external",
          url: ["amqps://host"],
          tlsCert: "c",
          tlsKey: "k",
        },
      },
      "a drill has to know which user gets the permissions in its virtual host",
      "amqps://user@host",
    ],
  ])("refuses %j", async (sources, message, hint) => {
    const error = await rejection(sources);
    expect(error).toMatchObject({
      code: "SETTING_INVALID",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    expect(JSON.stringify(error)).not.toContain("secret");
  });

  it.each([
    ["tagret: x\n", "unknown setting in ./mqbackup.yaml: tagret", "Did you mean target?"],
    ["max-hold: 5m\n", "unknown setting in ./mqbackup.yaml: max-hold", "Did you mean maxHold?"],
    ["config: x\n", "unknown setting in ./mqbackup.yaml: config", ""],
    ["- target\n", "is not a list of settings and their values", ""],
    ["parallel: [1, 2]\n", "parallel in ./mqbackup.yaml takes one value", ""],
    ["queue: [{ name: x }]\n", "queue in ./mqbackup.yaml is not a list of values", ""],
    ["password: 1234\n", "password in ./mqbackup.yaml is not text", "quotes"],
    ["parallel: many\n", 'parallel in ./mqbackup.yaml: "many" is not a whole number', ""],
    ["url: amqp://u:secret@h\nurl: x: y\n", "configuration file ./mqbackup.yaml is not YAML (line 2)", ""],
    ["a: &x 1\nb: *x\n", "configuration file ./mqbackup.yaml is not YAML", ""],
  ])("refuses a file with %j", async (text, message, hint) => {
    await using directory = await tempDirectory();
    await writeFile(directory.join("mqbackup.yaml"), text);
    const error = await rejection({ cwd: directory.path });
    expect(error).toMatchObject({
      code: "SETTING_INVALID",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    expect(String(error) + JSON.stringify(error)).not.toContain("secret");
  });

  it("does not take a file it cannot read for none", async () => {
    await using directory = await tempDirectory();
    await mkdir(directory.join("mqbackup.yaml"));
    expect(await rejection({ cwd: directory.path })).toMatchObject({
      code: "SETTING_INVALID",
      message: "configuration file ./mqbackup.yaml cannot be read (EISDIR)",
    });
  });

  it("takes an empty file for none", async () => {
    await using directory = await tempDirectory();
    await writeFile(directory.join("mqbackup.yaml"), "# nothing yet\n");
    expect((await resolve({ cwd: directory.path })).settings.parallel).toBe(4);
  });

  it.each([["amqp://u:pw@host"], ["amqps://u:@host/v"], ["amqp://u:p@ss@host"]])(
    "refuses the password of %s on the command line, not in the environment",
    async (url) => {
      expect(await rejection({ flags: { url: [url] } })).toMatchObject({
        code: "USAGE",
        hint: expect.stringContaining("MQBACKUP_PASSWORD_FILE"),
      });
      expect(await rejection({ flags: { managementUrl: [url.replace("amqp", "http")] } })).toMatchObject({
        code: "USAGE",
      });
      const pingUrl = url.replace(/^amqps?/, "https");
      expect(await rejection({ flags: { pingUrl } })).toMatchObject({ code: "USAGE" });
      expect((await resolve({ env: { MQBACKUP_URL: url } })).settings.url).toEqual([url]);
    },
  );
});

describe("listSettings", () => {
  it("names value and origin of every setting, and shows no secret", async () => {
    const { raw } = await resolve({
      flags: { queue: ["a", "b"], printSettings: true },
      env: {
        MQBACKUP_URL: "amqp://u:s%40crEt1@one,amqp://u:s%40crEt1@two/v",
        MQBACKUP_MANAGEMENT_URL: "http://m:crEt2@one",
        MQBACKUP_PASSWORD: "crEt3",
        MQBACKUP_PING_URL: "https://p:crEt4@hc.example/ping/crEt5-0123456789?k=crEt6-0123456789",
      },
    });
    const listed = listSettings(raw);
    expect(listed.map(({ name }) => name)).toEqual(SETTING_KEYS);
    const of = (name: string) => listed.find((setting) => setting.name === name);
    expect(of("url")).toMatchObject({
      value: ["amqp://u:***@one", "amqp://u:***@two/v"],
      origin: "MQBACKUP_URL",
    });
    expect(of("password")).toMatchObject({ value: "***", origin: "MQBACKUP_PASSWORD" });
    expect(of("pingUrl")).toMatchObject({ value: "https://hc.example/***", origin: "MQBACKUP_PING_URL" });
    expect(of("queue")).toMatchObject({ value: ["a", "b"], origin: "--queue" });
    expect(of("auth")).toMatchObject({ value: "plain", origin: "default" });
    expect(of("set")).toMatchObject({ value: null, origin: null });
    expect(JSON.stringify(listed)).not.toContain("crEt");
    expect(secrets).toEqual(
      expect.arrayContaining([
        "s%40crEt1",
        "s@crEt1",
        "crEt2",
        "crEt3",
        "crEt4",
        "crEt5-0123456789",
        "k=crEt6-0123456789",
      ]),
    );
  });

  it("describes every setting, and gives each at least one command", () => {
    for (const key of SETTING_KEYS) {
      const { help, commands, kind, secret } = settingEntry(key);
      const value: RawValue | undefined = settingEntry(key).value;
      expect(help).not.toBe("");
      expect(commands.length).toBeGreaterThan(0);
      expect(kind === "switch" || secret === true).toBe(value === undefined);
    }
  });
});
