import { Buffer } from "node:buffer";
import { setTimeout as delay } from "node:timers/promises";

/** Of one attempt. */
const TIMEOUT_MS = 10_000;

const PAUSE_MS = 1000;

/**
 * Asks for one address, once more after a pause when nobody answers or the server says that it cannot now. Resolves with why it did not
 * succeed, null when it did; never with a part of the address. After `signal` nothing more is tried.
 */
export async function sendPing(address: string, signal: AbortSignal): Promise<string | null> {
  const first = await attempt(address, signal);
  if (first === null || !first.again || signal.aborted) return first?.why ?? null;
  try {
    await delay(PAUSE_MS, undefined, { signal });
  } catch {
    return first.why;
  }
  return (await attempt(address, signal))?.why ?? null;
}

interface Refusal {
  readonly why: string;
  /** Another attempt may succeed. */
  readonly again: boolean;
}

async function attempt(address: string, signal: AbortSignal): Promise<Refusal | null> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { url, headers } = withoutLogin(address);
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, timeout]) });
    await response.body?.cancel();
    if (response.ok) return null;
    const { status } = response;
    return { why: `HTTP status ${status}`, again: status >= 500 || status === 429 };
  } catch (error) {
    if (timeout.aborted) return { why: `no answer within ${TIMEOUT_MS / 1000} s`, again: true };
    if (signal.aborted) return { why: "there was no time for it", again: false };
    return { why: reasonOf(error), again: true };
  }
}

/** A login within an address is sent as browsers do. */
function withoutLogin(address: string): { readonly url: URL; readonly headers: Record<string, string> } {
  const url = new URL(address);
  if (url.username === "" && url.password === "") return { url, headers: {} };
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  return { url, headers: { authorization: `Basic ${Buffer.from(login).toString("base64")}` } };
}

/** Codes only: messages of others could hold the address. */
function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return "it could not be sent";
}
