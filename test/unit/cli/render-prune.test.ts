import { beforeEach, expect, test } from "vitest";
import { pruneJson, pruneLines } from "../../../src/cli/render-prune.ts";
import { painter } from "../../../src/cli/terminal-text.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import { prune, type PruneResult } from "../../../src/usecases/prune.ts";
import type { PruneRequest } from "../../../src/usecases/prune-plan.ts";
import type { MemoryStore } from "../../fakes/memory-store.ts";
import { pruneDeps, pruneLab, pruneRequest, type Stub } from "../../fakes/prune-lab.ts";

const NOW = new Date("2026-11-30T12:00:00Z");
const F1 = "20261101-020000F";
const F2 = "20261129-020000F";

let store: MemoryStore;
let put: (stub: Stub) => void;

beforeEach(async () => {
  ({ store, put } = await pruneLab("/backups"));
});

async function run(confirmed: boolean, more: Partial<PruneRequest> = {}): Promise<PruneResult> {
  const request = pruneRequest({ last: 1 }, { confirmed, ...more });
  return prune(pruneDeps(store, NOW), request, new AbortController().signal);
}

function linesOf(result: PruneResult): readonly string[] {
  return pruneLines(result, NOW, painter(false)).map((line) => line.replaceAll(/ {2,}/g, "  "));
}

function lay(key: string, ageMs = 0): void {
  store.objects.set(key, { bytes: Buffer.from("x"), modifiedAt: new Date(NOW.getTime() - ageMs) });
}

test("an empty repository, or set: nothing to remove", async () => {
  expect(linesOf(await run(false))).toEqual(["/backups", "", "nothing to remove"]);
  put({ id: F1 });
  expect(linesOf(await run(true, { set: "other" }))).toEqual(["/backups", "", "nothing removed"]);
});

test("a drained backup that goes is said to be the last place of its messages", async () => {
  put({ id: F1, set: "a\nb", more: { drain: true } });
  put({ id: F2, set: "a\nb" });
  const lines = linesOf(await run(false));
  expect(lines[2]).toBe("set a\\nb");
  expect(lines[4]).toMatch(
    /^20261101-020000F {2}29 d {2}[\d.]+ KiB {2}remove {2}no rule keeps it; drained: its messages are on no queue$/,
  );
  expect(lines[5]).toMatch(/^20261129-020000F {2}34 h {2}[\d.]+ KiB {2}keep {2}last 1 of 1$/);
});

test("what is odd is named, five of many", async () => {
  put({ id: F1 });
  put({ id: F2 });
  store.objects.delete(`backups/${F2}/index.tar.zst`);
  lay("backups/20261110-020000F/begun.json", 99 * 3_600_000);
  lay("backups/20261130-020000F/begun.json");
  lay(`backups/${F1}/data-00007.tar.zst`, 99 * 3_600_000);
  for (const n of [1, 2, 3, 4, 5, 6, 7]) lay(`backups/other-${n}`);
  expect(linesOf(await run(false)).slice(5)).toEqual([
    expect.stringMatching(/^20261129-020000F .* {2}last 1 of 1$/),
    "",
    "orphans beside backup 20261101-020000F: 1 file, 1 B that it does not need",
    "orphans of 20261110-020000F, which is no backup: 1 file, 1 B",
    "warning: backup 20261129-020000F lacks 20261129-020000F/index.tar.zst: see mqbackup verify",
    "note: left, as it may belong to a run at work: 20261130-020000F",
    "note: left, as it is not mqbackup's: backups/other-1, backups/other-2, backups/other-3, backups/other-4, backups/other-5, and 2 more",
    "",
    "would remove the orphans of 2 folders: 2 B",
    "nothing was removed: do it with --confirm",
  ]);
});

test("a run that broke off says what is gone and what is not", async () => {
  put({ id: F1 });
  put({ id: "20261102-020000F" });
  put({ id: F2 });
  const remove = store.delete.bind(store);
  store.delete = async (key) => {
    if (key.includes(F1)) throw new BackupError("TARGET_FAILED", "the disk said no");
    await remove(key);
  };
  const result = await run(true);
  const lines = linesOf(result);
  expect(lines[4]).toMatch(/ not removed {2}no rule keeps it$/);
  expect(lines[5]).toMatch(/ removed {2}no rule keeps it$/);
  expect(lines.at(-1)).toMatch(/^removed 1 backup: [\d.]+ KiB freed$/);
  expect(pruneJson([result], 5)).toMatchObject({
    status: 5,
    confirmed: true,
    targets: [
      {
        sets: [
          {
            backups: [
              { id: F1, plan: "remove", reasons: [], removed: false },
              { plan: "remove", removed: true },
              {
                plan: "keep",
                reasons: [{ kind: "last", place: 1, of: 1, text: "last 1 of 1" }],
                removed: false,
              },
            ],
          },
        ],
        failure: { code: "TARGET_FAILED", message: "the disk said no" },
      },
    ],
  });
});
