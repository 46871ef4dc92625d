import { fileStore } from "../../src/adapters/store/file-store.ts";
import { UploadRate } from "../../src/adapters/store/upload-rate.ts";
import { withCopies } from "../../src/adapters/store/with-copies.ts";
import { withPatience } from "../../src/adapters/store/with-patience.ts";
import { withUploadRate } from "../../src/adapters/store/with-upload-rate.ts";
import { sleep } from "../../src/cli/wiring/run.ts";
import { failing } from "../fakes/failing.ts";
import { memoryStore } from "../fakes/memory-store.ts";
import { tempDirectory } from "../lab/temp.ts";
import { storeContract } from "./store-suite.ts";

storeContract("file store", async () => {
  const directory = await tempDirectory();
  return {
    ...fileStore(directory.path),
    [Symbol.asyncDispose]: async () => directory[Symbol.asyncDispose](),
  };
});

storeContract("memory store", async () => ({ ...memoryStore(), [Symbol.asyncDispose]: async () => {} }));

storeContract("failing store with an empty script", async () => ({
  ...failing(memoryStore(), []),
  [Symbol.asyncDispose]: async () => {},
}));

storeContract("store at an upload rate", async () => ({
  ...withUploadRate(memoryStore(), new UploadRate(200e6, { now: () => performance.now(), sleep })),
  [Symbol.asyncDispose]: async () => {},
}));

storeContract("store with patience", async () => ({
  ...withPatience(memoryStore(), { stallMs: 60_000, afterStallMs: 60_000, graceMs: 1000 }),
  [Symbol.asyncDispose]: async () => {},
}));

storeContract("store read together with another copy", async () => ({
  ...withCopies([memoryStore(), memoryStore()], () => undefined),
  [Symbol.asyncDispose]: async () => {},
}));
