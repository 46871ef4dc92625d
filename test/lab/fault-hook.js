// Loaded before the program (node --import) by `faultHook` of fault-hook.ts; does nothing but what its environment asks for.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";

const {
  LAB_HOLD_PATH: holdPath,
  LAB_HOLD_CALLS: heldCalls = "link rename open",
  LAB_HOLD_MARK: mark,
  LAB_STATUS_FILE: statusFile,
} = process.env;

if (isMainThread && holdPath !== undefined) holdCalls(new RegExp(holdPath));
if (isMainThread && statusFile !== undefined) {
  process.on("exit", () => fs.writeFileSync(statusFile, fs.readFileSync("/proc/self/status")));
}

/** The first link, rename or open, or which of them are named, of such a path begins, says so by making a file, and goes on after a signal. */
function holdCalls(pattern) {
  let held = false;
  const signalled = new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  const hold = async (path) => {
    if (held || !pattern.test(path)) return;
    held = true;
    fs.writeFileSync(mark, path);
    const awake = setInterval(() => undefined, 1000);
    await signalled;
    await delay(100); // the program has heard it too
    clearInterval(awake);
  };
  const names = heldCalls.split(" ");
  for (const name of names) {
    const original = fs.promises[name];
    fs.promises[name] = async (...args) => {
      await hold(String(name === "open" ? args[0] : args[1]));
      return original(...args);
    };
  }
  const { open } = fs;
  if (names.includes("open")) fs.open = (...args) => void hold(String(args[0])).then(() => open(...args));
  syncBuiltinESMExports();
}
