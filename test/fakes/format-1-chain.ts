import { fileStore } from "../../src/adapters/store/file-store.ts";
import { bytesBody } from "../../src/repository/objects.ts";
import { mark } from "../../src/usecases/mark.ts";
import { backupRequest } from "./backup-lab.ts";
import { Chain } from "./chain.ts";
import { message, messages } from "./sample-backup.ts";

const STREAM = {
  told: { type: "stream" as const, deliveryLimit: null },
  selection: backupRequest(["events"]).selection,
  set: "streams",
};
const ORDERS = { selection: backupRequest(["orders", "payments"]).selection };

/** The repository in fixtures/format-1-chain as it was made once: two chains, what they keep of one another, a mark. */
export async function writeFormat1Chain(directory: string): Promise<void> {
  const events = (from: number, to: number) =>
    messages(to)
      .slice(from)
      .map((each, at) => ({ ...each, streamOffset: from + at }));
  const chain = new Chain({ orders: messages(40), payments: messages(9), events: events(0, 20) });
  await chain.full(ORDERS);
  chain.change("orders", (records) => [...records.slice(5), message(100), message(101)]);
  const first = await chain.incremental(ORDERS);
  await chain.full(STREAM);
  chain.change("orders", (records) => [
    ...records.slice(3, 10),
    ...records.slice(20),
    records[12] ?? message(1),
  ]);
  chain.change("payments", () => []);
  await chain.incremental(ORDERS);
  chain.change("events", () => events(8, 27));
  await chain.incremental(STREAM);
  chain.change("payments", () => [message(7), message(200)]);
  await chain.incremental(ORDERS);
  // What is frozen is what the queues held, not what this version makes of it.
  await chain.expectTrue();
  const now = () => new Date(chain.clock);
  await mark(
    { stores: [chain.store], now },
    { backup: first.id, marked: true },
    new AbortController().signal,
  );
  const store = fileStore(directory, { create: true });
  for (const [key, { bytes }] of chain.store.objects) await store.put(key, bytesBody(bytes));
}
