import { connect } from "amqplib";
import type { Broker, OwnBroker } from "./brokers.ts";
import { docker } from "./docker.ts";
import { managementGet } from "./management.ts";
import { until } from "./until.ts";

/** Runs `rabbitmqctl` inside the broker's container and resolves with what it prints. */
export function rabbitmqctl(broker: Broker, ...args: readonly string[]): Promise<string> {
  return inContainer(broker, "rabbitmqctl", "--quiet", ...args);
}

/** Resolves when the broker takes AMQP connections and its management API answers. */
export async function waitUntilReady(broker: Broker): Promise<void> {
  await until(
    `broker ${broker.version} at ${broker.amqpPort} ready`,
    async () => {
      const connection = await connect(broker.amqpUrl, { timeout: 5000 });
      await connection.close();
      await managementGet(broker, "/api/overview");
      return true;
    },
    { timeoutMs: 90_000, everyMs: 100 },
  );
}

/** Stops the node in order and starts it again; resolves when it is ready. Connections break, durable things stay. */
export async function restartBroker(broker: OwnBroker): Promise<void> {
  // Its container ends with the node, and with it the command that asked for the end.
  await rabbitmqctl(broker, "stop").catch(() => undefined);
  await docker(["wait", broker.containerId], 120_000);
  await startNode(broker);
}

/**
 * Makes the node write down the names of new quorum queues, which otherwise takes it half a second. Without them it
 * forgets everything in such a queue when it is killed, confirmed messages too (3.10 to 4.3).
 */
export async function settle(broker: OwnBroker): Promise<void> {
  await rabbitmqctl(broker, "eval", "[dets:sync(Table) || Table <- dets:all()].");
}

/** Kills the node as a power cut would (SIGKILL to every process of it) and leaves it down. See `settle`. */
export async function killNode(broker: OwnBroker): Promise<void> {
  await docker(["kill", "--signal", "KILL", broker.containerId]);
  await docker(["wait", broker.containerId]);
}

/** Starts a node that `killNode` took down; resolves when it is ready. */
export async function startNode(broker: OwnBroker): Promise<void> {
  await docker(["start", broker.containerId]);
  await waitUntilReady(broker);
}

/** Freezes every process of the broker: sockets stay open and nothing answers. `thaw` lets it go on. */
export async function freeze(broker: OwnBroker): Promise<void> {
  await docker(["pause", broker.containerId]);
}

export async function thaw(broker: OwnBroker): Promise<void> {
  await docker(["unpause", broker.containerId]);
}

/** Sets the memory alarm off (publishers block); resolves when it is in force. `clearAlarms` ends it. */
export async function raiseMemoryAlarm(broker: OwnBroker): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.000001");
  await until("memory alarm", async () => (await alarms(broker)).includes("mem_alarm"));
}

/** Sets the disk alarm off (publishers block); resolves when it is in force. `clearAlarms` ends it. */
export async function raiseDiskAlarm(broker: OwnBroker): Promise<void> {
  await rabbitmqctl(broker, "set_disk_free_limit", "1000000000000000");
  await until("disk alarm", async () => (await alarms(broker)).includes("disk_free_alarm"));
}

/** Back to ordinary limits; resolves when no alarm is left. */
export async function clearAlarms(broker: OwnBroker): Promise<void> {
  await rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.6");
  await rabbitmqctl(broker, "set_disk_free_limit", "50MB");
  await until("no alarms", async () => (await alarms(broker)).length === 0);
}

/** Breaks every client connection from the broker's side. */
export async function closeAllConnections(broker: Broker): Promise<void> {
  await rabbitmqctl(broker, "close_all_connections", "closed by the lab");
}

async function alarms(broker: Broker): Promise<string[]> {
  const nodes = await managementGet(broker, "/api/nodes?columns=mem_alarm,disk_free_alarm");
  const text = JSON.stringify(nodes);
  return ["mem_alarm", "disk_free_alarm"].filter((name) => text.includes(`"${name}":true`));
}

async function inContainer(broker: Broker, ...command: readonly string[]): Promise<string> {
  if (broker.containerId === undefined)
    throw new Error(`broker at ${broker.amqpPort} is not a container of the lab`);
  return docker(["exec", broker.containerId, ...command], 120_000);
}
