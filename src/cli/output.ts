import { once } from "node:events";

import { redacted } from "./redaction.ts";
import { painter, visible, type Paint } from "./terminal-text.ts";

/** A stream of the process, as far as it is used here. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  once(event: "drain", listener: () => void): unknown;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly noColor: boolean;
  readonly noProgress: boolean;
}

/** Results go to standard output, all else to standard error. A reader that went away is nobody's mistake. */
export class Output {
  readonly options: OutputOptions;
  readonly stderr: OutputStream & NodeJS.WritableStream;
  /** For results. */
  readonly paint: Paint;
  /** For messages. */
  readonly paintNote: Paint;
  /** The cursor is hidden, lines are not wrapped: whoever ends the process puts that right. */
  terminalChanged = false;
  readonly #stdout: OutputStream & NodeJS.WritableStream;
  readonly #gone: () => boolean;
  readonly #secrets: readonly string[];

  constructor(
    streams: {
      readonly stdout: OutputStream & NodeJS.WritableStream;
      readonly stderr: OutputStream & NodeJS.WritableStream;
      /** Whoever read standard output has closed it. */
      readonly stdoutGone: () => boolean;
    },
    options: OutputOptions,
    env: Readonly<Record<string, string | undefined>>,
    /** Texts that no warning may hold; more may be added. */
    secrets: readonly string[],
  ) {
    this.options = options;
    this.#stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.#gone = streams.stdoutGone;
    this.#secrets = secrets;
    const wanted = !options.noColor && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
    this.paint = painter(wanted && streams.stdout.isTTY === true);
    this.paintNote = painter(wanted && streams.stderr.isTTY === true);
  }

  /** True: nobody reads the results any more. */
  get closed(): boolean {
    return this.#gone();
  }

  /** A result; resolves when more may be written. */
  async print(text: string | Uint8Array): Promise<void> {
    if (this.closed) return;
    if (!this.#stdout.write(text)) await this.#drained();
  }

  async printLines(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.print(`${lines.join("\n")}\n`);
  }

  async printJson(value: unknown): Promise<void> {
    await this.print(`${JSON.stringify(value, null, this.#stdout.isTTY === true ? 2 : 0)}\n`);
  }

  /** A message; nothing when quiet. */
  note(line: string): void {
    if (!this.options.quiet) this.stderr.write(`${line}\n`);
  }

  /** Messages also for those who want quiet. */
  complain(lines: readonly string[]): void {
    if (lines.length > 0) this.stderr.write(`${lines.join("\n")}\n`);
  }

  /** Something is wrong that does not end the run; also for those who want quiet. */
  warn(message: string): void {
    const { json } = this.options;
    const shown = redacted(message, this.#secrets);
    this.stderr.write(
      json
        ? `${JSON.stringify({ event: "warning", message: shown })}\n`
        : `${this.paintNote("mqbackup:", "yellow")} warning: ${visible(shown)}\n`,
    );
  }

  /** Resolves when more may be written, or nobody will read it. */
  async #drained(): Promise<void> {
    // `once` rejects with the stream's error, and takes its listeners away however it ends.
    await once(this.#stdout, "drain").catch(() => undefined);
  }
}
