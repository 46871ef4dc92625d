import type { BrokerRequest } from "./brokers.ts";
import { freePort } from "./free-port.ts";
import type { BrokerTls } from "./tls.ts";

const PLUGINS = ["rabbitmq_management", "rabbitmq_stream", "rabbitmq_shovel"];
const TLS_FILES = {
  ca: "/etc/rabbitmq/lab-ca.pem",
  cert: "/etc/rabbitmq/lab-cert.pem",
  key: "/etc/rabbitmq/lab-key.pem",
};

/** Ports on the test machine's loopback; the last two count only on the host's network. */
export type BrokerPorts = Readonly<
  Record<"amqp" | "amqps" | "management" | "managementTls" | "distribution" | "nameService", number>
>;

export async function brokerPorts(): Promise<BrokerPorts> {
  return {
    amqp: await freePort(),
    amqps: await freePort(),
    management: await freePort(),
    managementTls: await freePort(),
    distribution: await freePort(),
    nameService: await freePort(),
  };
}

export interface BrokerConfiguration {
  readonly files: { readonly content: string; readonly target: string; readonly mode: number }[];
  readonly environment: Record<string, string>;
}

/**
 * What a lab broker is told: management, stream and shovel plugins, guest from everywhere, statistics every second so
 * that tests need not wait for the counters. Everything else, `consumer_timeout` included, is the broker's default.
 */
export function brokerConfiguration(request: BrokerRequest, ports: BrokerPorts): BrokerConfiguration {
  const onHost = request.network === "host";
  const lines = [
    "loopback_users = none",
    "collect_statistics_interval = 1000",
    ...(onHost ? hostListeners(ports) : ["management.tcp.port = 15672"]),
    ...(request.tls ? tlsLines(request.tls, onHost ? ports : { amqps: 5671, managementTls: 15_671 }) : []),
    ...(request.configLines ?? []),
  ];
  return {
    files: [
      file("/etc/rabbitmq/rabbitmq.conf", lines.join("\n") + "\n"),
      file("/etc/rabbitmq/enabled_plugins", `[${[...PLUGINS, ...(request.plugins ?? [])].join(",")}].\n`),
      ...(request.tls
        ? [
            file(TLS_FILES.ca, request.tls.ca),
            file(TLS_FILES.cert, request.tls.server.cert),
            file(TLS_FILES.key, request.tls.server.key),
          ]
        : []),
    ],
    environment: {
      // Idle schedulers sleep at once: several brokers share few cores.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+sbwt none +sbwtdcpu none +sbwtdio none",
      ...(onHost && hostEnvironment(ports)),
    },
  };
}

/** Beside other brokers on one network everything needs a port and a name of its own. */
function hostListeners(ports: BrokerPorts): string[] {
  return [
    `listeners.tcp.local = 127.0.0.1:${ports.amqp}`,
    "management.tcp.ip = 127.0.0.1",
    `management.tcp.port = ${ports.management}`,
    "stream.listeners.tcp = none",
  ];
}

function hostEnvironment(ports: BrokerPorts): Record<string, string> {
  return {
    RABBITMQ_NODENAME: `lab-${ports.amqp}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_PORT: String(ports.nameService),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
}

function tlsLines(tls: BrokerTls, ports: Pick<BrokerPorts, "amqps" | "managementTls">): string[] {
  const files = (prefix: string): string[] => [
    `${prefix}.cacertfile = ${TLS_FILES.ca}`,
    `${prefix}.certfile = ${TLS_FILES.cert}`,
    `${prefix}.keyfile = ${TLS_FILES.key}`,
  ];
  return [
    `listeners.ssl.default = ${ports.amqps}`,
    ...files("ssl_options"),
    `ssl_options.verify = ${tls.verifyPeer ? "verify_peer" : "verify_none"}`,
    `ssl_options.fail_if_no_peer_cert = ${tls.verifyPeer}`,
    `management.ssl.port = ${ports.managementTls}`,
    ...files("management.ssl"),
  ];
}

function file(target: string, content: string): BrokerConfiguration["files"][number] {
  return { target, content, mode: 0o644 };
}
