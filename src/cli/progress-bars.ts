import type { Options, Params, SingleBar } from "cli-progress";

import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { widthOf, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatDuration } from "./units.ts";

const NAME_WIDTH = 28;
const BAR_WIDTH = 20;

export interface BarsOptions {
  readonly unit: "messages" | "bytes";
  /** Pieces under way at once; each has a line of its own, taken over by the next. */
  readonly parallel: number;
}

/** What a bar shows beside its value and total. */
interface Shown {
  readonly name: string;
  readonly known: boolean;
  readonly bytes: number;
  readonly beganAt: number;
  readonly idle: boolean;
}

/** One bar for each piece under way, and one for all together when more than one is expected. */
export async function openBars(output: Output, { unit, parallel }: BarsOptions): Promise<Progress> {
  const { default: cliProgress } = await import("cli-progress");
  const paint = output.paintNote;
  const bars = new cliProgress.MultiBar({
    format: (_: Options, params: Params, shown: Shown) => barText(params, shown, unit, paint),
    stream: output.stderr,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    fps: 8,
    forceRedraw: true,
    barsize: BAR_WIDTH,
  });
  output.terminalChanged = true;
  const whole = new Whole();
  const lanes: Lane[] = [];
  const running = new Map<string, Lane>();
  let total: SingleBar | null = null;

  const refresh = (): void => {
    total?.setTotal(Math.max(whole.total, whole.done));
    total?.update(whole.done, whole.shown());
  };

  return {
    expect(pieces) {
      for (const [key, expected] of pieces) whole.expect(key, expected);
      // Above the others, and only where it says more than they do.
      if (pieces.size > 1) total ??= bars.create(0, 0, whole.shown());
    },
    begin(key, piece) {
      const shown = {
        name: piece.name,
        known: piece.total !== null,
        bytes: 0,
        beganAt: Date.now(),
        idle: false,
      };
      const free = lanes.find((lane) => lane.idle);
      const lane = free ?? { bar: bars.create(1, 0, shown), idle: false, shown, done: 0 };
      if (!free && lanes.length < parallel) lanes.push(lane);
      Object.assign(lane, { idle: false, shown, done: 0 });
      lane.bar.setTotal(piece.total ?? 0);
      lane.bar.update(0, shown);
      running.set(key, lane);
      whole.expect(key, piece.total);
      refresh();
    },
    advance(key, done, bytes) {
      const lane = running.get(key);
      if (!lane) return;
      whole.advance(done - lane.done, bytes - lane.shown.bytes);
      lane.done = done;
      lane.shown = { ...lane.shown, bytes };
      lane.bar.update(done, lane.shown);
      refresh();
    },
    end(key) {
      const lane = running.get(key);
      if (!lane) return;
      running.delete(key);
      lane.idle = true;
      lane.shown = { ...lane.shown, idle: true };
      lane.bar.update(lane.done, lane.shown);
    },
    line(text, { shownWithBars } = { shownWithBars: true }) {
      if (shownWithBars) bars.log(`${text}\n`);
    },
    event: () => undefined,
    [Symbol.dispose]() {
      bars.stop();
    },
  };
}

interface Lane {
  readonly bar: SingleBar;
  idle: boolean;
  shown: Shown;
  done: number;
}

class Whole {
  done = 0;
  total = 0;
  #bytes = 0;
  #unknown = 0;
  readonly #expected = new Map<string, number | null>();
  readonly #beganAt = Date.now();

  /** Again for the same piece: what was expected before is forgotten. */
  expect(key: string, expected: number | null): void {
    const before = this.#expected.get(key);
    if (before === null) this.#unknown -= 1;
    if (expected === null) this.#unknown += 1;
    this.total += (expected ?? 0) - (before ?? 0);
    this.#expected.set(key, expected);
  }

  advance(done: number, bytes: number): void {
    this.done += done;
    this.#bytes += bytes;
  }

  shown(): Shown {
    return {
      name: "all",
      known: this.#unknown === 0,
      bytes: this.#bytes,
      beganAt: this.#beganAt,
      idle: false,
    };
  }
}

function barText({ value, total }: Params, shown: Shown, unit: BarsOptions["unit"], paint: Paint): string {
  const name = fitted(shown.name);
  if (shown.idle) return paint(`${name} done`, "dim");
  const seconds = Math.max(0.001, (Date.now() - shown.beganAt) / 1000);
  const rate = value / seconds;
  const amount = unit === "bytes" ? formatBytes : formatCount;
  const parts = [
    ...(shown.known && total > 0 ? [`${amount(value)} of ${amount(total)}`] : [amount(value)]),
    ...(unit === "bytes" ? [] : [formatBytes(shown.bytes)]),
    `${amount(Math.round(rate))}/s`,
    ...(shown.known && rate > 0 && total > value ? [`${timeLeft((total - value) / rate)} left`] : []),
  ];
  const part = shown.known && total > 0 ? Math.min(1, value / total) : null;
  const filled = Math.round((part ?? 0) * BAR_WIDTH);
  const bar =
    part === null
      ? ""
      : `${paint("━".repeat(filled), "green")}${paint("━".repeat(BAR_WIDTH - filled), "dim")} ${percent(part)}  `;
  return `${name} ${bar}${parts.join("  ")}`;
}

/** Whole seconds: it is a guess. */
function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : formatDuration(seconds * 1000);
}

/** Never 100 before all is done. */
function percent(part: number): string {
  return `${String(part < 1 ? Math.min(99, Math.floor(part * 100)) : 100).padStart(3)} %`;
}

function fitted(name: string): string {
  let text = name;
  while (widthOf(text) > NAME_WIDTH) text = Array.from(text).slice(0, -2).join("") + "…";
  return text + " ".repeat(NAME_WIDTH - widthOf(text));
}
