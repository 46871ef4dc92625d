/** Bytes of different bodies: well beyond what zstd looks back at the levels used, so that no body helps the next of its kind. */
const RING_BYTES = 16 * 1024 * 1024;

/** `count` bodies of `bytes` bytes, JSON as shops send it, the same for the same numbers; a large `count` repeats itself. */
export function bodyRing(count: number, bytes: number): readonly Buffer[] {
  const different = Math.min(count, Math.ceil(RING_BYTES / bytes));
  const random = xorshift(0x9e3779b9);
  return Array.from({ length: different }, (_, i) => body(i, bytes, random));
}

function body(number: number, bytes: number, random: () => number): Buffer {
  const pick = (words: readonly string[]): string => words[random() % words.length] ?? "";
  const hex = (): string => random().toString(16).padStart(8, "0");
  const parts = [
    `{"order":"${hex()}${hex()}","n":${number},"at":${1_750_000_000 + (random() % 9_000_000)},"`,
  ];
  let length = parts[0]?.length ?? 0;
  while (length < bytes) {
    const item =
      `sku":"${pick(NOUNS)}-${random() % 10_000}","name":"${pick(ADJECTIVES)} ${pick(NOUNS)}",` +
      `"price":${(random() % 100_000) / 100},"id":"${hex()}","state":"${pick(STATES)}","`;
    parts.push(item);
    length += item.length;
  }
  return Buffer.from(
    parts
      .join("")
      .slice(0, Math.max(1, bytes - 2))
      .padEnd(Math.max(1, bytes - 2)) + '"}',
  ).subarray(0, bytes);
}

function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const NOUNS = "lamp table chair window garden bicycle kettle blanket mirror basket hammer candle".split(" ");
const ADJECTIVES = "red small wooden round heavy bright quiet folded narrow plain silver warm".split(" ");
const STATES = ["open", "paid", "packed", "shipped", "delivered", "returned"];
