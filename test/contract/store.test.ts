import { fileStore } from "../../src/adapters/store/file-store.ts";
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
