import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import type { Broker } from "./brokers.ts";
import { runCli, startCli, type CliOptions, type CliResult, type RunningCli } from "./cli.ts";
import { createUser, deleteUser, managementGet } from "./management.ts";
import { filesBelow, tempDirectory } from "./temp.ts";
import { freshVhost, type LabVhost } from "./vhost.ts";

/**
 * Everything one test of the program needs: a virtual host, a user of it with a password that is easily found again wherever
 * it should not be, an empty target, and the program run with these in its environment.
 */
export interface Scene extends AsyncDisposable {
  readonly broker: Broker;
  readonly vhost: LabVhost;
  /** An empty directory. */
  readonly target: string;
  readonly user: string;
  readonly password: string;
  /** The part of the password no encoding changes. */
  readonly secret: string;
  /** MQBACKUP_URL (with the password), MQBACKUP_MANAGEMENT_URL and MQBACKUP_TARGET. */
  readonly env: Readonly<Record<string, string>>;
  /** An AMQP address with user and password, by another port if given: that of a proxy. */
  url(port?: number): string;
  /** Runs to the end and holds what every run must hold; see `expectClean`. `env` is added to the scene's. */
  run(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  start(args: readonly string[], options?: CliOptions): Promise<RunningCli>;
  /** `full` with more arguments, which must succeed; resolves with the id. */
  backup(...args: readonly string[]): Promise<string>;
  /** Ids of committed backups at the target, in order. */
  committed(): Promise<readonly string[]>;
  /** Queues and exchanges at the broker that mqbackup made for itself. */
  own(): Promise<readonly string[]>;
  /** Files at the target that belong to no committed backup. */
  halfDone(): Promise<readonly string[]>;
  /** Nothing of mqbackup's own is at the broker, nothing but whole backups at the target, the password in none of its files. */
  expectNothingLeft(): Promise<void>;
}

export async function newScene(broker: Broker): Promise<Scene> {
  const vhost = await freshVhost(broker, "cli");
  const secret = `s3cr3t-planted-${randomBytes(6).toString("hex")}`;
  const password = `${secret}/@: %é`;
  const user = `cli-${randomBytes(6).toString("hex")}`;
  const all = { vhost: vhost.name, configure: ".*", write: ".*", read: ".*" };
  await createUser(broker, { name: user, password, tags: ["monitoring"], permissions: [all] });
  const directory = await tempDirectory();
  const target = directory.path;
  const url = (port = broker.amqpPort): string =>
    `amqp://${user}:${encodeURIComponent(password)}@${broker.host}:${port}/${encodeURIComponent(vhost.name)}`;
  const env = { MQBACKUP_URL: url(), MQBACKUP_MANAGEMENT_URL: broker.managementUrl, MQBACKUP_TARGET: target };
  const withEnv = (options: CliOptions = {}): CliOptions => ({ ...options, env: { ...env, ...options.env } });
  const scene: Scene = {
    broker,
    vhost,
    target,
    user,
    password,
    secret,
    env,
    url,
    async run(args, options) {
      const result = await runCli(args, withEnv(options));
      expectClean(result, secret);
      return result;
    },
    start: (args, options) => startCli(args, withEnv(options)),
    async backup(...args) {
      const before = await committedAt(target);
      const result = await scene.run(["full", ...args]);
      expect(result, "full").toMatchObject({ status: 0 });
      const [id, ...others] = (await committedAt(target)).filter((each) => !before.includes(each));
      if (id === undefined || others.length > 0) throw new Error("full did not commit one backup");
      return id;
    },
    committed: () => committedAt(target),
    own: () => ownNames(vhost),
    halfDone: () => halfDone(target),
    async expectNothingLeft() {
      expect(await ownNames(vhost), "at the broker").toEqual([]);
      expect(await halfDone(target), "at the target").toEqual([]);
      for (const file of await filesBelow(target)) {
        expect((await readFile(path.join(target, file))).includes(secret), file).toBe(false);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await directory[Symbol.asyncDispose]();
      await deleteUser(broker, user);
      await vhost[Symbol.asyncDispose]();
    },
  };
  return scene;
}

/** A restore that failed may be resumed, and a full. */
const JOURNAL = /^\.local\/state\/mqbackup\/(restores\/[^/]+\/[0-9a-f]+|fulls\/[0-9a-f]+\/.+)\.json$/;

/** What an incremental without a key is compared with. */
const KEPT =
  /^\.local\/state\/mqbackup\/bases\/[0-9a-f]{64}\/[0-9a-f]{64}\/(manifest\.json|index\.tar\.zst)$/;

/** No stack trace, no secret, and nothing left in the directories of its own but how far a failed run came, and what is kept of encrypted backups. */
export function expectClean(result: CliResult, secret: string): void {
  const { stdout, stderr, leftovers, status } = result;
  const home = result.home.filter((file) => !KEPT.test(file) && (status === 0 || !JOURNAL.test(file)));
  expect({ leftovers, home }, "left behind").toEqual({ leftovers: [], home: [] });
  expect(stdout + stderr, "a stack trace").not.toMatch(/^\s+at .*(:\d+:\d+|<anonymous>)\)?$/m);
  expect(stdout + stderr, "node's own words").not.toMatch(/\(node:\d+\)|node:internal|UnhandledPromise/);
  expect(stdout + stderr, "the password").not.toContain(secret);
}

/** One line that says what is wrong, one with a hint, on standard error; Nothing else but progress. */
export function expectFailure(
  result: CliResult,
  expected: {
    readonly status: number;
    readonly error: RegExp;
    readonly hint: RegExp;
    /** Progress: what every line before the error must match; default: no line. */
    readonly before?: RegExp;
    /** Result on standard output, as of a restore that failed on its way. */
    readonly stdout?: RegExp;
  },
): void {
  expect({ status: result.status, signal: result.signal, stderr: result.stderr }).toMatchObject({
    status: expected.status,
    signal: null,
  });
  expect(result.stdout).toMatch(expected.stdout ?? /^$/);
  const lines = result.stderr.split("\n");
  expect(lines.pop()).toBe("");
  const [error, hint] = lines.splice(-2);
  expect(error).toMatch(/^mqbackup: (MQBACKUP_|[^A-Z\s]).*[^.]$/);
  expect(error).toMatch(expected.error);
  expect(hint).toMatch(/^hint: [^\s].*[.?]$/);
  expect(hint).toMatch(expected.hint);
  const { before } = expected;
  expect(
    lines.filter((line) => !before?.test(line)),
    "lines before the error",
  ).toEqual([]);
}

/** Ids of committed backups at a target, in order. */
export async function committedAt(target: string): Promise<string[]> {
  const files = await filesBelow(target);
  return files.flatMap((file) => /^backups\/(.+)\/manifest\.json$/.exec(file)?.[1] ?? []).toSorted();
}

/** Files at the target that belong to no committed backup. */
async function halfDone(target: string): Promise<string[]> {
  const ids = await committedAt(target);
  const whole = (file: string): boolean => {
    const [, id, name = ""] = /^backups\/(.+)\/([^/]+)$/.exec(file) ?? [];
    return (
      id !== undefined &&
      ids.includes(id) &&
      /^(manifest\.json|key\.age|(index|data-\d{5})\.tar\.zst(\.age)?)$/.test(name)
    );
  };
  return (await filesBelow(target)).filter((file) => file !== "mqbackup-repository.json" && !whole(file));
}

/** Queues and exchanges of a virtual host that mqbackup made for itself. */
async function ownNames({ broker, name }: LabVhost): Promise<string[]> {
  const vhost = encodeURIComponent(name);
  const listed = await Promise.all(
    ["queues", "exchanges"].map((kind) => managementGet(broker, `/api/${kind}/${vhost}?columns=name`)),
  );
  return listed
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .flatMap((entry: unknown) => (isNamed(entry) && entry.name.startsWith("mqbackup.") ? [entry.name] : []));
}

function isNamed(entry: unknown): entry is { readonly name: string } {
  return typeof entry === "object" && entry !== null && "name" in entry && typeof entry.name === "string";
}
