import { BackupError } from "../domain/errors.ts";
import { DEFAULT_HINTS } from "./default-hints.ts";
import { exitStatusOf } from "./exit-status.ts";
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
  const { code, message, hint } = plainError(error);
  if (style.json) {
    const details = style.verbose ? { stack: stacks(error) } : {};
    const status = exitStatusOf(error);
    return redacted(`${JSON.stringify({ error: { code, message, hint, status, ...details } })}\n`, style);
  }
  const lines = [
    `${style.paint("mqbackup:", "red")} ${visible(message)}`,
    `${style.paint("hint:", "yellow")} ${visible(hint)}`,
  ];
  if (style.verbose) lines.push(...stacks(error));
  return redacted(`${lines.join("\n")}\n`, style);
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

function redacted(text: string, { secrets }: ErrorStyle): string {
  return secrets
    .filter((secret) => secret.length > 2)
    .toSorted((a, b) => b.length - a.length)
    .reduce(
      (shown, secret) => shown.replaceAll(secret, "***").replaceAll(encodeURIComponent(secret), "***"),
      text,
    );
}
