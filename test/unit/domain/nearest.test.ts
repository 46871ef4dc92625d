import { expect, it } from "vitest";

import { nearest } from "../../../src/domain/nearest.ts";

const KNOWN = ["target", "url", "maxHold", "managementUrl", "vhost"];

it.each([
  ["tagret", "target"],
  ["targets", "target"],
  ["max-hold", "maxHold"],
  ["max_hold", "maxHold"],
  ["MAXHOLD", "maxHold"],
  ["managment-url", "managementUrl"],
  ["vhots", "vhost"],
  ["ulr", "url"],
  ["something", null],
  ["x", null],
])("%s was meant to be %s", (name, expected) => expect(nearest(name, KNOWN)).toBe(expected));

it("prefers the exact name", () => expect(nearest("url", ["ural", "url"])).toBe("url"));
