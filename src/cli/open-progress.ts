import type { Output } from "./output.ts";
import { openBars, type BarsOptions } from "./progress-bars.ts";
import type { Progress } from "./progress.ts";

/** Bars on a terminal, else lines, with --json events, and nothing with --quiet or --no-progress. */
export async function openProgress(
  output: Output,
  options: BarsOptions,
  signal: AbortSignal,
): Promise<Progress> {
  const { quiet, noProgress, json } = output.options;
  if (quiet || noProgress) return SILENCE;
  if (json) return eventLines(output);
  if (output.stderr.isTTY !== true) return plainLines(output);
  const bars = await openBars(output, options);
  const onAbort = (): void => bars.line("ending in good order; once more to end at once");
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    ...bars,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", onAbort);
      bars[Symbol.dispose]();
    },
  };
}

const SILENCE: Progress = {
  expect: () => undefined,
  begin: () => undefined,
  advance: () => undefined,
  end: () => undefined,
  line: () => undefined,
  event: () => undefined,
  [Symbol.dispose]: () => undefined,
};

function plainLines(output: Output): Progress {
  return { ...SILENCE, line: (text) => output.note(text) };
}

function eventLines(output: Output): Progress {
  return { ...SILENCE, event: (event) => output.note(JSON.stringify(event)) };
}
