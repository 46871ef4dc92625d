import { expect, it } from "vitest";

import { renderError, type ErrorStyle } from "../../../src/cli/render-error.ts";
import { painter } from "../../../src/cli/terminal-text.ts";
import { BackupError } from "../../../src/domain/errors.ts";

const style: ErrorStyle = { json: false, verbose: false, paint: painter(false), secrets: [] };
const error = new BackupError("QUEUE_MISSING", "queue a\nb does not exist", {
  hint: "Look at the spelling.",
});

it("says what and why, then what to do", () => {
  expect(renderError(error, style)).toBe(
    String.raw`mqbackup: queue a\nb does not exist` + "\nhint: Look at the spelling.\n",
  );
});

it("always says what to do, if only by the kind of the error", () => {
  expect(renderError(new BackupError("INTERRUPTED", "interrupted by SIGINT"), style)).toBe(
    "mqbackup: interrupted by SIGINT\nhint: Nothing is left half done: run the same command again.\n",
  );
});

it("is one JSON object on one line for machines", () => {
  const text = renderError(error, { ...style, json: true });
  expect(text.trimEnd()).not.toContain("\n");
  expect(JSON.parse(text)).toEqual({
    error: {
      code: "QUEUE_MISSING",
      message: "queue a\nb does not exist",
      hint: "Look at the spelling.",
      status: 1,
    },
  });
});

it("calls a mistake of its own one, and shows the stack only when asked", () => {
  const mistake = new TypeError("x is not a function", { cause: new Error("deep below") });
  expect(renderError(mistake, style)).toBe(
    "mqbackup: internal error: x is not a function\nhint: This is a mistake in mqbackup: run it again with --verbose and report what it prints.\n",
  );
  const verbose = renderError(mistake, { ...style, verbose: true });
  expect(verbose).toMatch(/TypeError: x is not a function\n\s+at /);
  expect(verbose).toContain("caused by Error: deep below");
  expect(
    JSON.parse(renderError(mistake, { ...style, verbose: true, json: true })).error.stack,
  ).toContainEqual("caused by Error: deep below");
});

it("shows no secret, whoever put it there, also encoded and in causes", () => {
  const leaky = new BackupError("BROKER_UNREACHABLE", "amqp://u:p%40ss-w0rd@h cannot be reached", {
    hint: "The password p@ss-w0rd may be wrong.",
    cause: new Error("p@ss-w0rd"),
  });
  for (const json of [true, false]) {
    const text = renderError(leaky, { ...style, json, verbose: true, secrets: ["p@ss-w0rd"] });
    expect(text).not.toMatch(/ss-w0rd/);
    expect(text).toContain("***");
  }
});

it.each([
  ["what JSON escapes", 'ab"cd\\ef'],
  ["what a terminal must not get", "ab\u200Bcd\tef"],
  ["a line break", "ab\ncd"],
])("shows no secret with %s", (_, secret) => {
  const leaky = new BackupError("BROKER_UNREACHABLE", `login ${secret} refused`, {
    hint: `Is it ${secret}?`,
    cause: new Error(`${JSON.stringify({ secret })} ${encodeURIComponent(secret)}`),
  });
  for (const json of [true, false]) {
    const text = renderError(leaky, { ...style, json, verbose: true, secrets: [secret] });
    expect(text).not.toMatch(/ab\W|\Wcd|\Wef/);
    expect(text).toContain("login *** refused");
  }
});
