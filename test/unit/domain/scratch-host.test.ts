import { describe, expect, it } from "vitest";
import {
  abandonment,
  isScratchName,
  scratchDescription,
  scratchNames,
} from "../../../src/domain/scratch-host.ts";

const NOW = new Date("2026-11-25T12:00:00Z");
const NAME = "mqbackup.drill.run.1";
const DAY = 24 * 60 * 60 * 1000;

it("names one virtual host for each, and knows them again", () => {
  const names = scratchNames("run", ["/", "orders"]);
  expect([...names]).toEqual([
    ["/", "mqbackup.drill.run.1"],
    ["orders", "mqbackup.drill.run.2"],
  ]);
  expect([...names.values()].every(isScratchName)).toBe(true);
  expect(["/", "mqbackup.drill", "a.mqbackup.drill.x"].some(isScratchName)).toBe(false);
});

describe("abandonment", () => {
  const OWNER = { machine: "m", pid: 1, run: "r" };
  const ago = (ms: number): string => scratchDescription(new Date(NOW.getTime() - ms), OWNER);

  it.each([
    ["of a process that has ended, however young", ago(0), true, "abandoned"],
    ["of a process that may live, young", ago(DAY), false, "not-known"],
    ["of a process that may live, old", ago(DAY + 1), false, "overdue"],
    ["with another description", "made by hand", true, "not-known"],
    ["with no time", ago(0).replace(/at \S+/, "at noon"), true, "not-known"],
    ["with more in its description", `${ago(0)}!`, true, "not-known"],
    ["from the future", ago(-9 * DAY), false, "not-known"],
  ] as const)("one %s", (_, description, ended, thought) => {
    expect(abandonment({ name: NAME, description }, NOW, () => ended)).toBe(thought);
  });

  it("one of another name is nobody's", () => {
    expect(abandonment({ name: "orders", description: ago(0) }, NOW, () => true)).toBe("not-known");
  });

  it("asks for the owner it was told", () => {
    const asked: unknown[] = [];
    abandonment({ name: NAME, description: ago(0) }, NOW, (owner) => {
      asked.push(owner);
      return false;
    });
    expect(asked).toEqual([OWNER]);
  });
});
