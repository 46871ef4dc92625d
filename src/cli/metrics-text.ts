/** Prometheus' text format, as far as it is written here. */

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What is said of each metric; also the order they are written in. Every one is a gauge. */
export type MetricHelp = Readonly<Record<string, string>>;

/** Samples of names without help are left out. */
export function metricsText(samples: readonly MetricSample[], help: MetricHelp): string {
  const lines = Object.entries(help).flatMap(([name, text]) => {
    const own = samples.filter((sample) => sample.name === name);
    if (own.length === 0) return [];
    return [`# HELP ${name} ${text}`, `# TYPE ${name} gauge`, ...own.map(sampleLine)];
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** What such a text holds; lines that are not as they are written here are passed over. */
export function parseMetrics(text: string): readonly MetricSample[] {
  return text.split("\n").flatMap((line) => {
    const [, name = "", labels = "", number = ""] = SAMPLE.exec(line) ?? [];
    const value = Number(number);
    if (name === "" || Number.isNaN(value)) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, key = "", content = ""]) => [key, unescaped(content)]);
    return [{ name, labels: Object.fromEntries(pairs), value }];
  });
}

/** A sample to write; value null: not known, there shall be none. */
export type NewSample = Omit<MetricSample, "value"> & { readonly value: number | null };

/**
 * The samples to keep: the new ones, and of those before what the new ones do not replace. A metric of a command is replaced as a whole,
 * with all its other labels.
 */
export function mergedMetrics(
  before: readonly MetricSample[],
  now: readonly NewSample[],
): readonly MetricSample[] {
  const key = ({ name, labels }: Omit<MetricSample, "value">): string =>
    JSON.stringify([name, labels["command"] ?? ""]);
  const replaced = new Set(now.map(key));
  const known = now.flatMap(({ value, ...sample }) => (value === null ? [] : [{ ...sample, value }]));
  return [...before.filter((sample) => !replaced.has(key(sample))), ...known];
}

const SAMPLE = /^([a-z_][a-z0-9_]*)\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\} (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

function sampleLine({ name, labels, value }: MetricSample): string {
  const pairs = Object.entries(labels).map(([key, content]) => `${key}="${escaped(content)}"`);
  return `${name}{${pairs.join(",")}} ${value}`;
}

function escaped(content: string): string {
  return content.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function unescaped(content: string): string {
  return content.replaceAll(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}
