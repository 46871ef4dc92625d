import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { s3Store } from "../../src/adapters/store/s3-store.ts";
import { parseS3Location } from "../../src/domain/s3-location.ts";
import type { Store } from "../../src/ports/store.ts";
import { body, keysOf, read } from "../contract/store-suite.ts";
import { startS3Proxy, type S3Operation, type S3Proxy, type S3ProxyFault } from "../lab/s3-proxy.ts";
import type { S3Server } from "../lab/s3-server.ts";

/** Of two parts. */
const BIG = randomBytes(9_000_001);
const SMALL = randomBytes(300_001);

/** What never answers is given up soon; a machine that is busy with other things is not taken for that. */
function patienceFor(fault: S3ProxyFault) {
  const stalls = typeof fault === "string" && fault.startsWith("stall");
  return { waitMs: 10, silenceMs: stalls ? 5000 : 60_000 };
}

/** Cases at once, over all tests; some of these wait for their turn. */
const AT_ONCE = 8;
const TIMEOUT_MS = 300_000;

/** What passes. */
const FAULTS: readonly S3ProxyFault[] = [
  { answer: 500, code: "InternalError" },
  { answer: 503 },
  { answer: 503, code: "SlowDown" },
  { answer: 429, code: "TooManyRequests", headers: { "retry-after": "0" } },
  { delayMs: 300 },
  "cut-before",
  "cut-in-body",
  "cut-after-body",
  "lost-answer",
  "cut-in-answer",
  "short-answer",
  "stall",
  "stall-after-done",
  "stall-in-answer",
];

/** What does not pass, and how it ends. */
const LASTING: readonly (readonly [S3ProxyFault, string])[] = [
  [{ answer: 503, code: "SlowDown" }, "TARGET_FAILED"],
  [{ answer: 403, code: "AccessDenied" }, "TARGET_REFUSED"],
  [{ answer: 403, code: "QuotaExceeded" }, "TARGET_FULL"],
  ["cut-after-body", "TARGET_FAILED"],
  ["stall", "TARGET_FAILED"],
];

interface Scene extends AsyncDisposable {
  readonly proxy: S3Proxy;
  readonly bucket: string;
  /** Through the proxy. */
  readonly store: Store;
  /** Around it. */
  readonly direct: Store;
}

/** What is done, with which request met by a fault, and what must have come of it. */
interface Deed {
  readonly name: string;
  readonly operation: S3Operation;
  readonly prepare?: (direct: Store) => Promise<void>;
  readonly perform: (store: Store) => Promise<void>;
  readonly verify?: (direct: Store) => Promise<void>;
  /** Requests before the one that is met, of the same kind. */
  readonly before?: number;
  /** What cannot be noticed here. */
  readonly except?: S3ProxyFault;
  /** What never answers is waited for, which takes time: not everywhere. */
  readonly stalls?: true;
}

const holds = (key: string, bytes: Uint8Array) => async (direct: Store) => {
  expect((await read(direct, key)).equals(bytes), key).toBe(true);
};

function put(bytes: Uint8Array, ifAbsent: boolean): Pick<Deed, "perform" | "verify"> {
  return {
    perform: async (store) => store.put("a/b", body(bytes, 1_000_000), { ifAbsent }),
    verify: holds("a/b", bytes),
  };
}

function reading(name: string, bytes: Uint8Array, range?: { offset: number; length: number }): Deed {
  const wanted = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
  return {
    name,
    operation: "get",
    prepare: async (direct) => direct.put("a/b", body(bytes, 1_000_000)),
    perform: async (store) => {
      expect((await read(store, "a/b", range)).equals(wanted)).toBe(true);
    },
  };
}

const DEEDS: readonly Deed[] = [
  { name: "a put", operation: "put", ...put(SMALL, false), stalls: true },
  { name: "a conditional put", operation: "put", ...put(SMALL, true) },
  { name: "the beginning of an upload", operation: "create", ...put(BIG, true) },
  { name: "a part of an upload", operation: "part", ...put(BIG, true), before: 1, stalls: true },
  { name: "the end of a conditional upload", operation: "complete", ...put(BIG, true) },
  // How long the object is only the answer says; who reads it compares its checksum.
  { ...reading("a get", SMALL), except: "short-answer" },
  { ...reading("a get of a range", SMALL, { offset: 1000, length: 200_000 }), stalls: true },
  {
    ...reading("a get of nothing at all", SMALL, { offset: SMALL.length, length: 0 }),
    operation: "head",
  },
  {
    name: "a listing",
    operation: "list",
    stalls: true,
    prepare: async (direct) => {
      for (const key of ["a/1", "a/2", "b"]) await direct.put(key, body(key));
    },
    perform: async (store) => {
      expect(await keysOf(store, "a/")).toEqual(["a/1", "a/2"]);
    },
  },
  {
    name: "a delete",
    operation: "delete",
    prepare: async (direct) => direct.put("a/b", body(SMALL)),
    perform: async (store) => store.delete("a/b"),
    verify: async (direct) => expect(await keysOf(direct, "")).toEqual([]),
  },
];

/** A store of S3 at a real service, with a proxy between them that does what networks and services do. */
export function s3FaultSuite(server: () => S3Server): void {
  const turns = new Turns(AT_ONCE);

  describe.concurrent.each(DEEDS)("$name", (deed) => {
    test(
      "is done, exactly, when it meets what passes",
      async () => {
        const faults = FAULTS.filter((fault) => fault !== deed.except);
        await Promise.all(faults.map(async (fault) => expectDone(deed, fault)));
      },
      TIMEOUT_MS,
    );

    test(
      "fails for good as it should, with nothing half done",
      async () => {
        const lasting = LASTING.filter(([fault, code]) => {
          if (fault === "stall") return deed.stalls === true;
          // What answers HEAD has no body to give a reason in.
          return code !== "TARGET_FULL" || deed.operation !== "head";
        });
        await Promise.all(lasting.map(async ([fault, code]) => expectFailed(deed, fault, code)));
      },
      TIMEOUT_MS,
    );
  });

  async function expectDone(deed: Deed, fault: S3ProxyFault): Promise<void> {
    const { operation, before = 0 } = deed;
    await using scene = await newScene(fault);
    const { proxy, store, direct, bucket } = scene;
    await deed.prepare?.(direct);
    proxy.fail(operation, ...Array.from({ length: before }, () => null), fault);
    const what = `${deed.name} that meets ${JSON.stringify(fault)}`;
    await expect(deed.perform(store), what).resolves.toBeUndefined();
    expect(proxy.unused(), what).toBe(0);
    await deed.verify?.(direct);
    expect(await server().unfinished(bucket), `${what}: unfinished uploads`).toBe(0);
  }

  async function expectFailed(deed: Deed, fault: S3ProxyFault, code: string): Promise<void> {
    await using scene = await newScene(fault);
    const { proxy, store, direct, bucket } = scene;
    await deed.prepare?.(direct);
    const before = await server().keys(bucket);
    proxy.failAlways(fault, deed.operation);
    const what = `${deed.name} that always meets ${JSON.stringify(fault)}`;
    await expect(deed.perform(store), what).rejects.toMatchObject({ code });
    expect(await server().keys(bucket), what).toEqual(before);
    expect(await server().unfinished(bucket), `${what}: unfinished uploads`).toBe(0);
  }

  async function newScene(fault: S3ProxyFault): Promise<Scene> {
    const turn = await turns.next();
    const bucket = await server().makeBucket();
    const proxy = await startS3Proxy(server().endpoint);
    const at = (endpoint: string): Store =>
      s3Store(parseS3Location(`s3://${bucket}?endpoint=${endpoint}&pathStyle=true`), {
        patience: patienceFor(fault),
      });
    return {
      proxy,
      bucket,
      store: at(proxy.endpoint),
      direct: at(server().endpoint),
      [Symbol.asyncDispose]: async () => {
        await proxy[Symbol.asyncDispose]();
        turn[Symbol.dispose]();
      },
    };
  }
}

class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(free: number) {
    this.#free = free;
  }

  async next(): Promise<Disposable> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return {
      [Symbol.dispose]: () => {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free += 1;
        else next();
      },
    };
  }
}
