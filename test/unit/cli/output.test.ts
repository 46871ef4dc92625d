import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { Output } from "../../../src/cli/output.ts";

const OPTIONS = { json: false, quiet: false, verbose: false, noColor: true, noProgress: true };

function outputTo(stdout: Writable, gone = () => false): Output {
  return new Output({ stdout, stderr: new PassThrough(), stdoutGone: gone }, OPTIONS, {}, []);
}

describe("printing", () => {
  test("to a slow reader waits for it, and leaves no listeners behind", async () => {
    const stdout = new PassThrough({ highWaterMark: 10 });
    const output = outputTo(stdout);
    const printed: string[] = [];
    stdout.on("data", (text: Buffer) => printed.push(text.toString()));
    const before = stdout.listenerCount("error") + stdout.listenerCount("drain");
    for (let n = 0; n < 30; n += 1) await output.print(`line ${n}, longer than the mark\n`);
    expect(printed.join("")).toContain("line 29");
    expect(stdout.listenerCount("error") + stdout.listenerCount("drain")).toBe(before);
  });

  test("to a reader that goes away ends", async () => {
    let gone = false;
    const stdout = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => {
        setImmediate(() => done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })));
      },
    });
    stdout.on("error", () => (gone = true));
    const output = outputTo(stdout, () => gone);
    await output.print("more than fits");
    expect(output.closed).toBe(true);
    await output.print("no more");
  });
});

test.each([false, true])("a warning holds no secret, JSON: %s", (json) => {
  const stderr = new PassThrough();
  const secrets: string[] = [];
  const streams = { stdout: new PassThrough(), stderr, stdoutGone: () => false };
  const output = new Output(streams, { ...OPTIONS, json }, {}, secrets);
  secrets.push('ab"cd\\ef');
  output.warn('the store says: ab"cd\\ef');
  const text = String(stderr.read());
  expect(text).toContain("the store says: ***");
  expect(text).not.toMatch(/ab|cd|ef/);
});
