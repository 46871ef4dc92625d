import { expect, test } from "vitest";
import { listingJson, listingLines } from "../../../src/cli/render-listing.ts";
import { painter } from "../../../src/cli/terminal-text.ts";
import { parseBackupId } from "../../../src/domain/backup-id.ts";
import { BackupError } from "../../../src/domain/errors.ts";
import type { HealthyBackup, Listing } from "../../../src/usecases/list.ts";

const NOW = new Date("2026-11-23T19:32:00Z");
const F1 = "20261121-193200F";
const F2 = "20261122-193200F";

function backup(id: string, base: string | null, more: Partial<HealthyBackup> = {}): HealthyBackup {
  return {
    format: 1,
    tool: { name: "mqbackup", version: "0.1.0" },
    id,
    kind: base === null ? "full" : "incremental",
    base,
    set: "nightly",
    startedAt: "2026-11-23T18:00:00.000Z",
    finishedAt: "2026-11-23T18:02:00.000Z",
    drain: false,
    marked: false,
    broker: {
      product: "RabbitMQ",
      version: "4.3.6",
      clusterName: "rabbit@one",
      url: "amqp://one",
      management: true,
    },
    vhosts: ["/"],
    queues: { complete: 3, partial: 0, skipped: 0 },
    measures: {
      messages: 1200,
      bodyBytes: 4096,
      plainBytes: 6000,
      storedBytes: 2000,
      targetBytes: 8000,
      knownMessages: 1250,
      lostMessages: 50,
      lossRate: 0.04,
      readMs: 1500,
      shipMs: 500,
      totalMs: 2000,
      longestHoldMs: 900,
    },
    ...more,
  };
}

function listing(backups: readonly HealthyBackup[], damaged: Listing["damaged"] = []): Listing {
  return { location: "/srv", repositoryId: "r", backups, damaged };
}

/** Without the times, which are local. */
function shown(of: Listing): string[] {
  return listingLines(of, NOW, painter(false)).map((line) =>
    line.replace(/\d{4}-\d\d-\d\d [\d:]+ [^ ]+ +/, "T "),
  );
}

test("chains are a tree, by set", () => {
  const first = `${F1}_20261121-200000I`;
  const second = `${F1}_20261121-210000I`;
  const lines = shown(
    listing([
      backup(F1, null),
      backup(first, F1, { queues: { complete: 1, partial: 1, skipped: 2 } }),
      backup(second, F1, { drain: true, marked: true }),
      backup(F2, null, { set: "other\u001b", finishedAt: "2026-11-20T19:32:00.000Z" }),
    ]),
  );
  expect(lines).toEqual([
    expect.stringMatching(/^ID +FINISHED +AGE +QUEUES +MESSAGES +BODIES +STORED$/),
    "set nightly: 3 backups in 1 chain, 5.86 KiB",
    "20261121-193200F     T 1 h       3     1,200  4.00 KiB  1.95 KiB",
    "├─ 20261121-200000I  T 1 h       4     1,200  4.00 KiB  1.95 KiB  1 partial, 2 skipped",
    "└─ 20261121-210000I  T 1 h       3     1,200  4.00 KiB  1.95 KiB  marked, on 20261121-193200F, drained",
    "",
    "set other\\u{1b}: 1 backup in 1 chain, 1.95 KiB",
    "20261122-193200F     T 3 d       3     1,200  4.00 KiB  1.95 KiB",
  ]);
});

test("a chain without its full, and damage, are told", () => {
  const damage = new BackupError("MANIFEST_DAMAGED", "it is broken\n");
  const lines = shown(
    listing([backup(`${F2}_20261122-200000I`, F2)], [{ id: parseBackupId(F1), damage, marked: true }]),
  );
  expect(lines.slice(2)).toEqual([
    `${F2} (not here)`,
    expect.stringMatching(/^└─ 20261122-200000I/),
    `damaged ${F1} (marked): it is broken\\n`,
  ]);
  expect(shown(listing([], [{ id: parseBackupId(F1), damage, marked: true }]))).toEqual([
    `damaged ${F1} (marked): it is broken\\n`,
  ]);
  expect(shown(listing([]))).toEqual(["no backups at /srv"]);
});

test("JSON has what a backup measured, and what follows from it", () => {
  const id = `${F1}_20261121-200000I`;
  const json = listingJson(
    listing([backup(id, F1), backup(F2, null, { queues: { complete: 0, partial: 0, skipped: 1 } })]),
    NOW,
  );
  expect(json).toMatchObject({
    location: "/srv",
    repositoryId: "r",
    damaged: [],
    backups: [
      {
        id,
        kind: "incremental",
        base: F1,
        chain: F1,
        set: "nightly",
        ageMs: 5_400_000,
        drain: false,
        marked: false,
        outcome: "complete",
        clusterName: "rabbit@one",
        vhosts: ["/"],
        queues: { complete: 3, partial: 0, skipped: 0 },
        messages: 1200,
        bodyBytes: 4096,
        storedBytes: 2000,
        measures: {
          lossRate: 0.04,
          storageUse: 0.25,
          ratio: 3,
          latencyMs: 2000,
          messagesPerSecond: 600,
          bodyBytesPerSecond: 2048,
          longestHoldMs: 900,
        },
      },
      { id: F2, chain: F2, base: null, outcome: "partial" },
    ],
  });
});
