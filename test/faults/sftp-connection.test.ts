import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sftpStore } from "../../src/adapters/store/sftp-store.ts";
import { BackupError } from "../../src/domain/errors.ts";
import { parseSftpLocation } from "../../src/domain/sftp-location.ts";
import type { Store } from "../../src/ports/store.ts";
import { body, keysOf, read } from "../contract/store-suite.ts";
import { startProxy, type Proxy } from "../lab/proxy.ts";
import { NO_SSHD, startSftpServer, type SftpServer } from "../lab/sftp-server.ts";

const MIB = 1024 * 1024;
const BIG = randomBytes(6 * MIB + 1);
/** So short that a test may wait for it. */
const TIMES = { connectMs: 2_000, silenceMs: 800, syncMs: 1_600, waitMs: 10 };

describe.skipIf(NO_SSHD !== null)(`connections${NO_SSHD === null ? "" : ` (${NO_SSHD})`}`, () => {
  let server: SftpServer;
  let proxy: Proxy;
  let base: string;
  beforeAll(async () => {
    // New keys for the connection every MiB: within each of the larger objects.
    server = await startSftpServer(["RekeyLimit 1M"]);
    proxy = await startProxy({ host: "127.0.0.1", port: server.port });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async ({ task }) => {
    base = server.join(task.id.replaceAll(/\W/g, "_"));
    await mkdir(base);
  });

  function storeAt(port = proxy.port, times: Partial<typeof TIMES> = { waitMs: 10 }): Store {
    return sftpStore(parseSftpLocation(server.target(base, { port })), times);
  }

  async function expectWhole(store: Store, key: string, content: Buffer): Promise<void> {
    expect((await read(store, key)).equals(content)).toBe(true);
    expect(await keysOf(store, "")).toEqual([key]);
    expect(await readdir(`${base}/.incoming`)).toEqual([]);
  }

  test("broken in the midst of a put: it goes again", async () => {
    const store = storeAt();
    await keysOf(store, "");
    const reached = proxy.pauseAfter(3 * MIB, "server");
    const put = store.put("a/big", body(BIG));
    await reached;
    proxy.cut();
    proxy.resume();
    await put;
    await expectWhole(store, "a/big", BIG);
  });

  test("broken in the midst of a get, again and again: it goes on at the byte", async () => {
    const store = storeAt();
    await store.put("big", body(BIG));
    for (const bytes of [1, 100_000, 3_000_000]) {
      proxy.cutAfter(bytes);
      expect((await read(store, "big")).equals(BIG)).toBe(true);
    }
    const before = proxy.bytesToClient();
    proxy.cutAfter(5_500_000);
    expect((await read(store, "big")).equals(BIG)).toBe(true);
    // No more than what was under way then comes twice.
    expect(proxy.bytesToClient() - before).toBeLessThan(BIG.length + MIB);
  });

  test("an object that is replaced while its connection is broken is not mixed with what it was", async () => {
    const [store, other] = [storeAt(), storeAt(server.port)];
    await store.put("big", body(BIG));
    const parts = store.get("big")[Symbol.asyncIterator]();
    await parts.next();
    await other.put("big", body(randomBytes(BIG.length + 1)));
    proxy.cut();
    const rest = async (): Promise<void> => {
      while ((await parts.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject({
      code: "TARGET_FAILED",
      message: expect.stringContaining("was replaced while it was read"),
    });
  });

  test(
    "broken after each of the answers to a put: it is done once, and so is a delete",
    { timeout: 180_000 },
    async () => {
      const probe = storeAt();
      await probe.put("a/probe", body("x"), { ifAbsent: true });
      let before = proxy.bytesToClient();
      await probe.put("a/b/measured", body("content"), { ifAbsent: true });
      const ofPut = proxy.bytesToClient() - before;
      await probe.put("a/b/gone", body("content"), { ifAbsent: true });
      before = proxy.bytesToClient();
      await probe.delete("a/b/gone");
      const ofDelete = proxy.bytesToClient() - before;
      await Promise.all(["a/probe", "a/b/measured"].map(async (key) => probe.delete(key)));
      // An answer takes about sixty bytes.
      for (let bytes = 1; bytes < ofPut; bytes += 60) {
        for (const ifAbsent of [true, false]) {
          const content = Buffer.from(`${bytes} ${ifAbsent}`);
          proxy.cutAfter(bytes);
          await probe.put("a/b/c", body(content), { ifAbsent });
          await expectWhole(probe, "a/b/c", content);
          if (ifAbsent) proxy.cutAfter((bytes % ofDelete) + 1);
          await probe.delete("a/b/c");
          expect(await keysOf(probe, "")).toEqual([]);
        }
      }
    },
  );

  test("two at once that lose their answers: one has it, and the other knows", async () => {
    const [one, other] = [storeAt(), storeAt()];
    await Promise.all([keysOf(one, ""), keysOf(other, "")]);
    for (const [round, bytes] of [300, 450, 600, 750].entries()) {
      const key = `claims/${round}`;
      proxy.cutAfter(bytes);
      const outcomes = await Promise.allSettled(
        [one, other].map(async (store, i) => store.put(key, body(`run ${i}`), { ifAbsent: true })),
      );
      const winners = outcomes.flatMap(({ status }, i) => (status === "fulfilled" ? [i] : []));
      expect(winners).toHaveLength(1);
      expect((await read(one, key)).toString()).toBe(`run ${winners[0]}`);
      const losers = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(losers).toMatchObject([{ reason: { code: "OBJECT_EXISTS" } }]);
    }
  });

  test("a server that is killed and comes back; one that does not", async () => {
    const store = storeAt(server.port, { waitMs: 50 });
    await store.put("big", body(BIG));
    const parts = store.get("big")[Symbol.asyncIterator]();
    const first = await parts.next();
    await server.kill();
    await server.start();
    const rest: Uint8Array[] = first.done === true ? [] : [first.value];
    for (let next = await parts.next(); next.done !== true; next = await parts.next()) rest.push(next.value);
    expect(Buffer.concat(rest).equals(BIG)).toBe(true);
    await server.kill();
    const refused = {
      code: "TARGET_FAILED",
      message: expect.stringMatching(/at sftp:\/\/.*: connection refused$/),
      hint: expect.stringContaining("host and port"),
    };
    await expectAllRejected(callsOf(storeAt(server.port), store), refused);
    await server.start();
    expect(await keysOf(store, "")).toEqual(["big"]);
  });

  test("a server that falls silent: every call ends, and the next one is right again", async () => {
    const store = storeAt(proxy.port, TIMES);
    await store.put("big", body(BIG));
    proxy.pause();
    const silent = {
      code: "TARGET_FAILED",
      message: expect.stringMatching(/^cannot .*: the server does not answer$/),
    };
    await expectAllRejected(callsOf(store, storeAt(proxy.port, TIMES)), silent);
    proxy.resume();
    proxy.cut();
    await expectWhole(store, "big", BIG);
  });

  test("silence for a moment only, in the midst of a put and of a get", async () => {
    const store = storeAt(proxy.port, TIMES);
    await keysOf(store, "");
    for (const work of [async () => store.put("big", body(BIG)), async () => read(store, "big")]) {
      const reached = proxy.pauseAfter(100_000, work.toString().includes("put") ? "server" : "client");
      const working = work();
      await reached;
      // Given up by then, and asked for again.
      setTimeout(() => {
        proxy.resume();
        proxy.cut();
      }, 1.5 * TIMES.silenceMs);
      await working;
    }
    await expectWhole(store, "big", BIG);
  });

  test("an interruption ends every wait at once", async () => {
    const reason = new BackupError("INTERRUPTED", "interrupted by a test");
    const store = storeAt();
    await store.put("big", body(BIG));
    proxy.pause();
    for (const call of callsWith) {
      const controller = new AbortController();
      const working = call(store, controller.signal);
      setTimeout(() => controller.abort(reason), 50);
      await expect(working).rejects.toBe(reason);
    }
    proxy.resume();
    proxy.cut();
    await expectWhole(store, "big", BIG);
  });

  test("an interruption ends the wait before the next try", async () => {
    const reason = new BackupError("INTERRUPTED", "interrupted by a test");
    const store = storeAt(proxy.port, { waitMs: 60_000 });
    await keysOf(store, "");
    proxy.refuse();
    proxy.cut();
    for (const call of callsWith) {
      const controller = new AbortController();
      const working = call(store, controller.signal);
      setTimeout(() => controller.abort(reason), 50);
      await expect(working).rejects.toBe(reason);
    }
    proxy.accept();
    expect(await keysOf(store, "")).toEqual([]);
  });

  test("what listens there is no SSH server, or nothing but a wire", async () => {
    await expect(keysOf(storeAt(1), "")).rejects.toMatchObject({
      message: expect.stringMatching(/connection refused$/),
    });
    proxy.refuse();
    await expect(keysOf(storeAt(), "")).rejects.toMatchObject({
      code: "TARGET_FAILED",
      message: expect.stringMatching(/the connection was lost$/),
    });
    proxy.accept();
    const nowhere = server.target(base).replace("127.0.0.1", "nowhere.invalid");
    await expect(keysOf(sftpStore(parseSftpLocation(nowhere)), "")).rejects.toMatchObject({
      code: "TARGET_MISSING",
      message: expect.stringMatching(/no host of that name$/),
    });
  });

  test("an idle connection keeps no process alive", async () => {
    const alive = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap" || name === "TCPWrap")
        .length;
    const before = alive();
    const store = storeAt(server.port);
    await store.put("big", body(BIG));
    await read(store, "big");
    await keysOf(store, "");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(alive()).toBe(before);
  });
});

const callsWith: ((store: Store, signal: AbortSignal) => Promise<unknown>)[] = [
  async (store, signal) => store.put("a/b/c", body("x"), { signal }),
  async (store, signal) => store.get("big", { signal })[Symbol.asyncIterator]().next(),
  async (store, signal) => store.list("", { signal })[Symbol.asyncIterator]().next(),
  async (store, signal) => store.delete("big", { signal }),
  async (store, signal) => store.capacity({ signal }),
];

async function expectAllRejected(calls: readonly (() => Promise<unknown>)[], reason: object): Promise<void> {
  const outcomes = await Promise.allSettled(calls.map(async (call) => call()));
  expect(outcomes).toEqual(
    calls.map(() => ({ status: "rejected", reason: expect.objectContaining(reason) })),
  );
}

function callsOf(...stores: readonly Store[]): (() => Promise<unknown>)[] {
  const { signal } = new AbortController();
  return stores.flatMap((store) => callsWith.map((call) => async () => call(store, signal)));
}
