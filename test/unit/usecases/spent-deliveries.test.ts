import { expect, test } from "vitest";
import { formatFullId } from "../../../src/domain/backup-id.ts";
import { planReading } from "../../../src/domain/reading-plan.ts";
import { PLAIN } from "../../fakes/plain.ts";
import { refuseSpent } from "../../../src/usecases/spent-deliveries.ts";
import { createCatalog } from "../../../src/repository/catalog.ts";
import { memoryStore } from "../../fakes/memory-store.ts";
import { message, REPOSITORY, writeBackup, type SampleQueue } from "../../fakes/sample-backup.ts";
import { CAREFUL, queueInfo } from "../../lab/queue-info.ts";

const NEVER = new AbortController().signal;
const BROKER = { product: "RabbitMQ", version: "4.0.5", clusterName: null };

function verdict(keepDeliveries = 3) {
  const queue = queueInfo("/", "q", "quorum", { deliveryLimit: 20 });
  return planReading(queue, BROKER, { ...CAREFUL, keepDeliveries });
}

const SPENT: SampleQueue = {
  name: "q",
  type: "quorum",
  records: [],
  entry: { outcome: "partial", gaps: [{ code: "DELIVERIES_SPENT", message: "", messages: 1 }] },
};
const WHOLE: SampleQueue = { name: "q", type: "quorum", records: [message(1)] };
const OTHER: SampleQueue = { name: "other", type: "quorum", records: [message(1)] };

async function after(...queues: readonly SampleQueue[]) {
  const store = memoryStore();
  const catalog = await createCatalog(store, REPOSITORY);
  for (const [hour, queue] of queues.entries()) {
    const now = new Date(Date.UTC(2026, 10, 21, hour));
    expect(formatFullId(now)).toContain("20261121");
    await writeBackup(catalog, { now, queues: [queue] });
  }
  return store;
}

test.each([
  ["never backed up", [], true],
  ["read wholly", [WHOLE], true],
  ["one look since", [WHOLE, SPENT], true],
  ["as many looks as there may be", [WHOLE, SPENT, SPENT], false],
  ["others in between", [WHOLE, SPENT, OTHER, SPENT, OTHER], false],
  ["read wholly since", [SPENT, SPENT, WHOLE], true],
] as const)("%s: is it read? %#", async (_, queues, read) => {
  const store = await after(...queues);
  const [result] = await refuseSpent({ store, reading: PLAIN }, [verdict()], new Set(), NEVER);
  expect(result?.recipe !== null).toBe(read);
  expect(result?.danger?.code).toBe(read ? undefined : "deliveries-spent");
});

test("the operator may say that it is fit to be read again", async () => {
  const store = await after(SPENT, SPENT);
  const [result] = await refuseSpent(
    { store, reading: PLAIN },
    [verdict()],
    new Set(["spent-deliveries"]),
    NEVER,
  );
  expect(result?.recipe).not.toBeNull();
});

test("queues whose reading costs nothing are not looked up", async () => {
  const store = memoryStore();
  store.list = () => {
    throw new Error("asked");
  };
  const free = planReading(queueInfo("/", "q", "classic"), BROKER, CAREFUL);
  expect(await refuseSpent({ store, reading: PLAIN }, [free], new Set(), NEVER)).toEqual([free]);
});
