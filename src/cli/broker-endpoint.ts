import type { BrokerAccess } from "./broker-access.ts";

/** Twice a heartbeat without a sign of life and the connection is given up. */
const HEARTBEAT_SECONDS = 30;
const CONNECT_TIMEOUT_MS = 15_000;

/** What a connection by AMQP needs besides a virtual host. */
export function endpointOf({ urls, tls, auth }: BrokerAccess) {
  return {
    urls,
    tls,
    auth,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    connectionName: "mqbackup",
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
}
