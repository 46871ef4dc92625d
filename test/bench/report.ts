import { totalMessages } from "./cases.ts";
import { median, type Measured } from "./measure.ts";
import type { BareMeasured, CaseMeasured } from "./run-case.ts";
import type { BackupMeasured } from "./subject.ts";

type Row = readonly string[];

/** Three tables: backup, restore, storage. Medians; rates of whole processes, from their start to their end, but for the bare ones. */
export function report(measured: readonly CaseMeasured[], helpMs: readonly number[]): string {
  return [
    "Backup (bare: raw socket, counts only; back: and until all is given back; amqplib: a plain consumer; whole: the process from " +
      "start to end, and hold: the longest hold, both of what back does)",
    table([
      [
        "queues",
        "bare/s",
        "back/s",
        "amqplib/s",
        "full/s",
        "whole",
        "hold",
        "MB/s",
        "CPU us",
        "amqplib us",
        "x",
        "RSS MB",
      ],
      ...measured.map(backupRow),
    ]),
    "Incremental, after a tenth of the head was consumed and a hundredth came (of a stream: after a hundredth came)",
    table([
      ["queues", "full/s", "incremental/s", "ratio", "hold", "s", "stored MB", "of full's", "RSS MB"],
      ...measured.filter(({ incremental }) => incremental.length > 0).map(incrementalRow),
    ]),
    "Restore, every message confirmed",
    table([
      ["queues", "bare/s", "restore/s", "whole", "MB/s", "CPU us", "bare us", "RSS MB"],
      ...measured.filter(({ restore }) => restore.length > 0).map(restoreRow),
    ]),
    "Stored bytes",
    table([
      ["queues", "bodies MB", "stored MB", "ratio", "tar | zstd -3 MB"],
      ...measured.filter(({ tarZstdBytes }) => tarZstdBytes !== null).map(storageRow),
    ]),
    ...(helpMs.length > 0 ? [`mqbackup --help: ${median(helpMs).toFixed(0)} ms`] : []),
    "",
  ].join("\n");
}

function backupRow({ bench, bareReader, amqplib, full }: CaseMeasured): Row {
  const messages = totalMessages(bench);
  const back = messages / median(bareReader.map(({ givenBackSeconds }) => givenBackSeconds ?? Number.NaN));
  const whole = messages / median(walls(full));
  const held = messages / median(full.map(({ holdSeconds, readSeconds }) => holdSeconds || readSeconds));
  const cpu = cpuMicros(full, messages);
  const reference = cpuMicros(amqplib, messages);
  return [
    bench.name,
    rate(messages / median(seconds(bareReader))),
    rate(back),
    rate(messages / median(seconds(amqplib))),
    rate(whole),
    (whole / back).toFixed(2),
    (held / back).toFixed(2),
    ((whole * bench.bodyBytes) / 1e6).toFixed(0),
    cpu.toFixed(1),
    reference.toFixed(1),
    (cpu / reference).toFixed(2),
    rss(full),
  ];
}

/** `ratio` and `hold`: messages a second of whole processes, and while held, of those of the full. */
function incrementalRow({ bench, incremental }: CaseMeasured): Row {
  const bases = incremental.map(({ base }) => base);
  const measured = incremental.map((each) => each.measured);
  const perSecond = (each: readonly BackupMeasured[]): number =>
    median(each.map(({ messages, wallSeconds }) => messages / wallSeconds));
  const heldRate = (each: readonly BackupMeasured[]): number =>
    median(each.map(({ messages, holdSeconds, readSeconds }) => messages / (holdSeconds || readSeconds)));
  const stored = (each: readonly BackupMeasured[]): number =>
    median(each.map(({ storedBytes }) => storedBytes));
  return [
    bench.name,
    rate(perSecond(bases)),
    rate(perSecond(measured)),
    (perSecond(measured) / perSecond(bases)).toFixed(2),
    (heldRate(measured) / heldRate(bases)).toFixed(2),
    median(walls(measured)).toFixed(2),
    (stored(measured) / 1e6).toFixed(2),
    `${((stored(measured) / stored(bases)) * 100).toFixed(2)} %`,
    rss(measured),
  ];
}

function restoreRow({ bench, barePublisher, restore }: CaseMeasured): Row {
  const messages = totalMessages(bench);
  const bare = messages / median(seconds(barePublisher));
  const whole = messages / median(walls(restore));
  return [
    bench.name,
    rate(bare),
    rate(whole),
    (whole / bare).toFixed(2),
    ((whole * bench.bodyBytes) / 1e6).toFixed(0),
    cpuMicros(restore, messages).toFixed(1),
    cpuMicros(barePublisher, messages).toFixed(1),
    rss(restore),
  ];
}

function storageRow({ bench, full, tarZstdBytes }: CaseMeasured): Row {
  const bodies = totalMessages(bench) * bench.bodyBytes;
  const stored = median(full.map(({ storedBytes }) => storedBytes));
  return [
    bench.name,
    (bodies / 1e6).toFixed(1),
    (stored / 1e6).toFixed(1),
    (bodies / stored).toFixed(1),
    ((tarZstdBytes ?? 0) / 1e6).toFixed(1),
  ];
}

function seconds(measured: readonly BareMeasured[]): number[] {
  return measured.map((each) => each.seconds);
}

function walls(measured: readonly Measured[]): number[] {
  return measured.map((each) => each.wallSeconds);
}

function cpuMicros(measured: readonly Measured[], messages: number): number {
  return (median(measured.map((each) => each.cpuSeconds)) * 1e6) / messages;
}

function rss(measured: readonly Measured[]): string {
  return (Math.max(...measured.map((each) => each.peakRssBytes)) / 1e6).toFixed(0);
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString("en-US");
}

/** The first column to the left, the others to the right. */
function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return rows.map(line).join("\n") + "\n";
}
