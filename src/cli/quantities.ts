/** Each throws a RangeError whose message completes "<setting>: ...". */

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** "90s", "15m", "1h30m", "500ms" in milliseconds. A bare number is refused: of what? */
export function parseDuration(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*(ms|[smhd])/g)];
  if (
    parts.length === 0 ||
    parts.map(([part]) => part).join("") !== text.trim().replaceAll(/(?<=[a-z])\s+/g, "")
  ) {
    throw new RangeError(`${JSON.stringify(text)} is not a duration such as 90s, 15m or 1h30m`);
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (MILLISECONDS[unit ?? ""] ?? 0), 0);
}

const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** "64MiB" (binary), "1GB" (decimal), "512k" (binary) or plain bytes. */
export function parseSize(text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = BYTES[unit?.toLowerCase() ?? "none"];
  if (number === undefined || factor === undefined) {
    throw new RangeError(`${JSON.stringify(text)} is not a size such as 64MiB, 1GB or 1048576`);
  }
  return Math.round(Number(number) * factor);
}

/** "50%" as a part of one. */
export function parsePercent(text: string): number {
  const [, number] = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text) ?? [];
  const part = Number(number) / 100;
  if (number === undefined || part > 1)
    throw new RangeError(`${JSON.stringify(text)} is not a percentage from 0% to 100%`);
  return part;
}

/** A size, or a percentage. */
export function parseSizeOrPercent(text: string): { readonly bytes: number } | { readonly part: number } {
  return text.includes("%") ? { part: parsePercent(text) } : { bytes: parseSize(text) };
}

/** "20MiB", "20MiB/s" or plain bytes a second. */
export function parseByteRate(text: string): number {
  const amount = bytesOrZero(withoutSeconds(text));
  if (amount > 0) return amount;
  throw new RangeError(`${JSON.stringify(text)} is not a rate such as 20MiB (bytes a second)`);
}

/** "5000" messages or "20MiB" bytes a second; "/s" may follow either. */
export function parseRate(text: string): { readonly per: "messages" | "bytes"; readonly amount: number } {
  const rate = withoutSeconds(text);
  const [, messages] = /^(\d+(?:\.\d+)?)\s*(?:messages|msgs?)?$/i.exec(rate) ?? [];
  const amount = messages === undefined ? bytesOrZero(rate) : Number(messages);
  if (amount > 0) return { per: messages === undefined ? "bytes" : "messages", amount };
  throw new RangeError(
    `${JSON.stringify(text)} is not a rate such as 5000 (messages a second) or 20MiB (bytes a second)`,
  );
}

function withoutSeconds(text: string): string {
  return text.trim().replace(/\s*\/\s*s(ec(ond)?)?$/i, "");
}

function bytesOrZero(text: string): number {
  try {
    return parseSize(text);
  } catch {
    return 0;
  }
}

/** A whole number within bounds. */
export function parseWhole(text: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  const number = /^\s*-?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`${JSON.stringify(text)} is not a whole number ${range}`);
}

/** "true", "yes", "on", "1", and their opposites. */
export function parseSwitch(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (["true", "yes", "on", "1"].includes(word)) return true;
  if (["false", "no", "off", "0", ""].includes(word)) return false;
  throw new RangeError(`${JSON.stringify(text)} is neither true nor false`);
}
