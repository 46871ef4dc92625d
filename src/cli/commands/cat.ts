import type { Fallback } from "../../ports/store.ts";
import { cat as catMessages, catBodies } from "../../usecases/cat.ts";
import { fallbackText } from "../fallbacks.ts";
import { DONE } from "../exit-status.ts";
import { rangeOf, selectorOf } from "../requests.ts";
import type { RunCommand, Session } from "../session.ts";
import { wireFilter, wireRepository } from "../wiring/repository.ts";

/** Lines are written together up to this many characters. */
const TOGETHER = 64 * 1024;

export const cat: RunCommand = async (session) => {
  const { settings, output, signal, argument } = session;
  const { body, skip, limit } = settings;
  const filter = await wireFilter(session);
  const onFallback = (fallback: Fallback): void => output.warn(fallbackText(fallback));
  await using repository = await wireRepository(session, settings.target, onFallback);
  const selects = selectorOf(settings);
  const request = { backup: argument ?? "latest", selects, range: rangeOf(settings), filter, skip, limit };
  if (body === "raw") {
    for await (const bytes of catBodies(repository, request, signal)) {
      // The view is valid until the next is asked for, the stream may keep it longer.
      await output.print(Buffer.from(bytes));
      if (output.closed) break;
    }
  } else {
    await printLines(output, catMessages(repository, { ...request, body }, signal));
  }
  return DONE;
};

async function printLines(output: Session["output"], messages: AsyncIterable<unknown>): Promise<void> {
  let lines = "";
  try {
    for await (const message of messages) {
      lines += `${JSON.stringify(message)}\n`;
      if (lines.length < TOGETHER) continue;
      await output.print(lines);
      lines = "";
      if (output.closed) return;
    }
  } finally {
    // Also what came before a damage.
    await output.print(lines);
  }
}
