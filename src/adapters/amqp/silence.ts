import type { Duplex } from "node:stream";

/** Longer than a broker that lives takes over any one request. Heartbeats alone would need a minute to tell. */
const SILENCE_MS = 10_000;
const LOOK_EVERY_MS = 500;

/**
 * After the abort what is held is given back in good order, but not to a broker that says nothing any more: the connection is then
 * lost, at once and for whoever waits for an answer.
 */
export function loseWhenSilent(stream: Duplex, signal: AbortSignal): void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    let [bytes, since] = [bytesRead(stream), Date.now()];
    timer = setInterval(() => {
      const now = bytesRead(stream);
      if (now !== bytes) [bytes, since] = [now, Date.now()];
      else if (Date.now() - since > SILENCE_MS) stream.destroy(new Error("no answer any more"));
    }, LOOK_EVERY_MS).unref();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  stream.once("close", () => {
    clearInterval(timer);
    signal.removeEventListener("abort", onAbort);
  });
}

/** Of a socket, TLS or not. */
function bytesRead(stream: Duplex): unknown {
  return Reflect.get(stream, "bytesRead");
}
