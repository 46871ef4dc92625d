import { describe, expect, it } from "vitest";
import { MemoryPool } from "../../../../src/adapters/codec/memory-pool.ts";

const MIB = 1024 * 1024;

function pool() {
  let created = 0;
  const memory = new MemoryPool((bytes) => {
    created += 1;
    return new ArrayBuffer(bytes);
  });
  return { memory, created: () => created };
}

describe("MemoryPool", () => {
  it("gives what was given back, to one taker at a time", () => {
    const { memory, created } = pool();
    const [one, two] = [memory.take(MIB), memory.take(MIB)];
    expect(one).not.toBe(two);
    memory.giveBack(one);
    expect(memory.take(MIB)).toBe(one);
    expect(memory.take(MIB)).not.toBe(one);
    expect(created()).toBe(3);
  });

  it("gives exactly what is asked for", () => {
    const { memory } = pool();
    memory.giveBack(memory.take(2 * MIB));
    expect(memory.take(MIB).byteLength).toBe(MIB);
  });

  it("keeps nothing small, and no more than 64 MiB", () => {
    const { memory, created } = pool();
    memory.giveBack(memory.take(1024));
    memory.take(1024);
    expect(created()).toBe(2);
    const many = Array.from({ length: 80 }, () => memory.take(MIB));
    for (const each of many) memory.giveBack(each);
    for (const _ of many) memory.take(MIB);
    expect(created()).toBe(2 + 80 + 16);
  });

  it("drops a piece larger than all it may keep", () => {
    const { memory, created } = pool();
    memory.giveBack(memory.take(65 * MIB));
    memory.take(65 * MIB);
    expect(created()).toBe(2);
  });
});
