import { expect, it } from "vitest";
import type { BrokerDirectory } from "../../../src/ports/broker-directory.ts";
import { survey } from "../../../src/usecases/survey.ts";
import { backupRequest } from "../../fakes/backup-lab.ts";

it("of all virtual hosts passes over those of drills", async () => {
  const asked: string[] = [];
  const unused = async (): Promise<never> => Promise.reject(new Error("not asked"));
  const directory: BrokerDirectory = {
    describe: async () => ({ product: "RabbitMQ", version: "4.3.6", clusterName: null }),
    vhosts: async () => ["/", "mqbackup.drill.run.1", "orders"],
    queues: async (vhost) => {
      asked.push(vhost);
      return [];
    },
    queue: unused,
    alarms: async () => [],
    memory: async () => null,
    definitions: unused,
  };
  const surveyed = survey(
    { directory, reader: { describe: unused } },
    { ...backupRequest([]), vhosts: "all" },
    new AbortController().signal,
  );
  await expect(surveyed).rejects.toMatchObject({ code: "NO_QUEUE_SELECTED" });
  expect(asked).toEqual(["/", "orders"]);
});
