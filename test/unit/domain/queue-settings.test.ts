import { describe, expect, it } from "vitest";
import { overflowBehaviour, queueSetting } from "../../../src/domain/queue-settings.ts";

describe("queue settings", () => {
  it.each([
    [{}, {}, null],
    [{ "x-max-length": 5 }, {}, 5],
    [{}, { "max-length": 5 }, 5],
    [{ "x-max-length": 5 }, { "max-length": 3 }, 3],
    [{ "x-max-length": 2 }, { "max-length": 3 }, 2],
    [{ "x-max-length": "5" }, {}, null],
  ])("argument %o and policy %o make %s", (argument, effectivePolicy, limit) => {
    expect(queueSetting({ arguments: argument, effectivePolicy }, "max-length")).toBe(limit);
  });

  it.each([
    [{}, {}, "drop-head"],
    [{ "x-overflow": "reject-publish" }, {}, "reject-publish"],
    [{}, { overflow: "reject-publish-dlx" }, "reject-publish-dlx"],
  ])("argument %o and policy %o overflow by %s", (argument, effectivePolicy, behaviour) => {
    expect(overflowBehaviour({ arguments: argument, effectivePolicy })).toBe(behaviour);
  });
});
