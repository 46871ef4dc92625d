import { BackupError } from "../domain/errors.ts";
import { DEFAULT_HINTS } from "./default-hints.ts";
import { exitStatusOf } from "./exit-status.ts";
import { redacted } from "./redaction.ts";
import { visible, type Paint } from "./terminal-text.ts";

export interface ErrorStyle {
  readonly json: boolean;
  /** With the stack and the causes. */
  readonly verbose: boolean;
  readonly paint: Paint;
  /** Texts that must not be shown, wherever they come from. */
  readonly secrets: readonly string[];
}

/** What goes to standard error: "mqbackup: <what>: <why>" and a hint, or one JSON object on one line. */
export function renderError(error: unknown, style: ErrorStyle): string {
  // Before anything is escaped, which would make a secret look otherwise.
  const shown = (text: string): string => redacted(text, style.secrets);
  const { code, ...plain } = plainError(error);
  const [message, hint] = [shown(plain.message), shown(plain.hint)];
  const stack = style.verbose ? shown(stacks(error).join("\n")).split("\n") : [];
  if (style.json) {
    const details = style.verbose ? { stack } : {};
    return `${JSON.stringify({ error: { code, message, hint, status: exitStatusOf(error), ...details } })}\n`;
  }
  const lines = [
    `${style.paint("mqbackup:", "red")} ${visible(message)}`,
    `${style.paint("hint:", "yellow")} ${visible(hint)}`,
    ...stack,
  ];
  return `${lines.join("\n")}\n`;
}

function plainError(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
} {
  if (error instanceof BackupError) {
    const { code, message, hint } = error;
    return { code, message, hint: hint === undefined || hint === "" ? DEFAULT_HINTS[code] : hint };
  }
  const why = error instanceof Error ? error.message : String(error);
  return { code: "INTERNAL", message: `internal error: ${why}`, hint: DEFAULT_HINTS.INTERNAL };
}

function stacks(error: unknown): readonly string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let at: unknown = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    lines.push(
      ...(at.stack ?? at.message)
        .split("\n")
        .map((line, n) => (n === 0 && lines.length > 0 ? `caused by ${line}` : line)),
    );
  }
  return lines;
}
