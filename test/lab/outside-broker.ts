import type { Broker } from "./brokers.ts";
import { brokerVersion } from "./management.ts";

/** The broker MQBACKUP_TEST_URL names, or `undefined` without that variable. The only one the lab did not start itself. */
export async function outsideBroker(env: NodeJS.ProcessEnv = process.env): Promise<Broker | undefined> {
  const text = env["MQBACKUP_TEST_URL"];
  if (text === undefined || text === "") return undefined;
  const url = new URL(text);
  const username = decodeURIComponent(url.username || "guest");
  const password = decodeURIComponent(url.password || "guest");
  const amqpPort = Number(url.port || 5672);
  const broker: Broker = {
    version: "",
    host: url.hostname,
    username,
    password,
    amqpPort,
    amqpUrl: `amqp://${encodeURIComponent(username)}:${encodeURIComponent(password)}@${url.hostname}:${amqpPort}`,
    managementUrl: env["MQBACKUP_TEST_MANAGEMENT_URL"] ?? `http://${url.hostname}:15672`,
  };
  const release = /^\d+\.\d+/.exec(await brokerVersion(broker));
  return { ...broker, version: release?.[0] ?? "unknown" };
}
