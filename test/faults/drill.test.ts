import { describe, expect, it } from "vitest";
import { BackupError } from "../../src/domain/errors.ts";
import type { DrillResult } from "../../src/usecases/drill-types.ts";
import { drillLab, type DrillLab } from "../fakes/drill-lab.ts";
import { failing } from "../fakes/failing.ts";
import { DEFINITIONS, message, messages } from "../fakes/sample-backup.ts";

/** A chain of two, so that manifests, volumes, index and definitions of both are needed. */
function lab(): Promise<DrillLab> {
  return drillLab(
    { queues: [{ name: "orders", records: messages(12) }], definitions: [DEFINITIONS] },
    {
      queues: [{ name: "orders", records: [...messages(12).slice(3), message(99)] }],
      definitions: [DEFINITIONS],
    },
  );
}

async function callsOf(): Promise<{
  readonly store: readonly string[];
  readonly scratch: readonly string[];
}> {
  const whole = await lab();
  using store = failing(whole.store, []);
  await whole.drill({}, undefined, { store });
  return { store: store.calls, scratch: whole.calls };
}

const calls = await callsOf();

describe("a drill whose store fails", () => {
  it("is tried at every call", () => expect(calls.store.length).toBeGreaterThan(9));

  it.each(calls.store.map((call, at) => [at + 1, call] as const))(
    "at call %i (%s) proves nothing and leaves nothing",
    async (nth) => {
      const whole = await lab();
      using store = failing(whole.store, [{ nth, error: new BackupError("TARGET_FAILED", "planted") }]);
      const result = await whole.drill({}, undefined, { store }).catch((error: unknown) => error);
      expect(failureOf(result)).toMatchObject({ code: "TARGET_FAILED" });
      expect([...whole.vhosts.keys(), ...whole.marked.keys()]).toEqual([]);
    },
  );

  it("loses an object at any call and calls that damage", async () => {
    for (const nth of calls.store.keys()) {
      const whole = await lab();
      using store = failing(whole.store, [
        { nth: nth + 1, error: new BackupError("OBJECT_MISSING", "planted") },
      ]);
      const result = await whole.drill({}, undefined, { store }).catch((error: unknown) => error);
      const { code } = failureOf(result) ?? { code: "" };
      expect([
        "OBJECT_MISSING",
        "ARCHIVE_DAMAGED",
        "REPOSITORY_MISSING",
        "BACKUP_MISSING",
        "MANIFEST_DAMAGED",
      ]).toContain(code);
      expect(whole.vhosts.size).toBe(0);
    }
  });
});

describe("a drill whose management API fails", () => {
  it("is tried at every call", () => {
    expect(calls.scratch).toEqual([
      "list",
      "create mqbackup.drill.run.1",
      "permit mqbackup.drill.run.1",
      "mayImpersonate",
      "remove mqbackup.drill.run.1",
    ]);
  });

  const [removal = "", ...others] = calls.scratch.toReversed();

  it.each(others)("at %s leaves nothing", async (failed) => {
    const whole = await failingAt(failed);
    await expect(whole.drill()).rejects.toMatchObject({ code: "MANAGEMENT_REFUSED", message: "planted" });
    expect(whole.vhosts.size).toBe(0);
  });

  it("at the removal says what is left", async () => {
    const whole = await failingAt(removal);
    expect(await whole.drill()).toMatchObject({
      failure: null,
      notRemoved: [{ name: "mqbackup.drill.run.1", why: "planted" }],
    });
    expect(whole.events.at(-1)).toMatchObject({ kind: "scratch-left" });
  });

  it("removes what was made although the answer was lost", async () => {
    const whole = await lab();
    whole.onMade = () => {
      throw new BackupError("MANAGEMENT_UNREACHABLE", "planted");
    };
    await expect(whole.drill()).rejects.toMatchObject({ code: "MANAGEMENT_UNREACHABLE" });
    expect(whole.vhosts.size).toBe(0);
  });
});

async function failingAt(failed: string): Promise<DrillLab> {
  const whole = await lab();
  whole.onCall = (call) => {
    if (call === failed) throw new BackupError("MANAGEMENT_REFUSED", "planted");
  };
  return whole;
}

function failureOf(result: unknown): BackupError | null {
  return result instanceof BackupError ? result : (result as DrillResult).failure;
}
