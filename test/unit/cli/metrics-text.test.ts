import { expect, test } from "vitest";
import {
  mergedMetrics,
  metricsText,
  parseMetrics,
  type MetricSample,
} from "../../../src/cli/metrics-text.ts";
import { METRICS } from "../../../src/cli/metrics.ts";

const HELP = { a_seconds: "How long.", b_ratio: "How much." };

function sample(
  name: string,
  command: string,
  value: number,
  labels: Record<string, string> = {},
): MetricSample {
  return { name, labels: { command, ...labels }, value };
}

test("each metric has its help and type once, then its samples", () => {
  const samples = [
    sample("b_ratio", "full", 0.25),
    sample("a_seconds", "full", 1.5, { phase: "read" }),
    sample("other", "full", 1),
    sample("a_seconds", "verify", 2e21),
  ];
  expect(metricsText(samples, HELP)).toBe(
    `# HELP a_seconds How long.
# TYPE a_seconds gauge
a_seconds{command="full",phase="read"} 1.5
a_seconds{command="verify"} 2e+21
# HELP b_ratio How much.
# TYPE b_ratio gauge
b_ratio{command="full"} 0.25
`,
  );
  expect(metricsText([], HELP)).toBe("");
});

test("what was written is read again, whatever is in the labels", () => {
  const samples = [
    sample("a_seconds", 'back\\slash "quote" \n line, {brace}', 0),
    sample("a_seconds", "full", -1.25e-7, { phase: 'n\\n"' }),
    sample("b_ratio", "full", 1763768724.512),
  ];
  const text = metricsText(samples, HELP);
  expect(text.split("\n")).toHaveLength(8);
  expect(parseMetrics(text)).toEqual(samples);
});

test("what others wrote is passed over", () => {
  const text = `
<html>a_seconds{command="full"} 1</html>
a_seconds 1
a_seconds{command="full"} NaN
a_seconds{command="full"} 1 1395066363000
a_seconds{command=full} 1
a_seconds{command="full"} 3
\u0000\u0001`;
  expect(parseMetrics(text)).toEqual([sample("a_seconds", "full", 3)]);
  expect(parseMetrics("")).toEqual([]);
});

test("a metric of a command is replaced as a whole, all else is kept", () => {
  const before = [
    sample("a_seconds", "full", 1, { phase: "read" }),
    sample("a_seconds", "full", 2, { phase: "gone" }),
    sample("a_seconds", "verify", 3),
    sample("b_ratio", "full", 4),
    sample("b_ratio", "verify", 5),
  ];
  const now = [
    sample("a_seconds", "full", 9, { phase: "read" }),
    { ...sample("b_ratio", "verify", 0), value: null },
  ];
  expect(mergedMetrics(before, now)).toEqual([before[2], before[3], now[0]]);
});

test("names follow the conventions: base units, and no counters", () => {
  for (const [name, help] of Object.entries(METRICS)) {
    expect(name).toMatch(/^mqbackup_[a-z_]+$/);
    expect(name).not.toMatch(/_total$|_ms$|milli|kilo|percent/);
    expect(help).toMatch(/^[A-Z][^\n\\]*\.$/);
  }
});
