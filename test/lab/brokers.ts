import { GenericContainer, Wait } from "testcontainers";
import type { BrokerTls } from "./tls.ts";
import { brokerConfiguration, brokerPorts, type BrokerPorts } from "./broker-configuration.ts";
import { waitUntilReady } from "./broker-control.ts";
import { containerLog, removeContainer } from "./docker.ts";
import { ownerLabels } from "./lab-run.ts";

/** The lines of RabbitMQ every promise is tested on. */
export const BROKER_VERSIONS = ["3.10", "4.0", "4.3"] as const;
export type BrokerVersion = (typeof BROKER_VERSIONS)[number];

/** Where a broker is reached. Plain data, so that a test run can hand it to its workers. */
export interface Broker {
  /** Release line, like `4.3`. */
  readonly version: string;
  /** Absent when the broker is not a container of ours (MQBACKUP_TEST_URL). */
  readonly containerId?: string;
  readonly host: string;
  readonly username: string;
  readonly password: string;
  readonly amqpPort: number;
  /** `amqp://user:password@host:port` without a virtual host. */
  readonly amqpUrl: string;
  /** `http://host:port` without credentials. */
  readonly managementUrl: string;
  /** Only with TLS: `amqps://user:password@localhost:port`, the name in the certificate. */
  readonly amqpsUrl?: string;
  /** Only with TLS: `https://localhost:port`. */
  readonly managementTlsUrl?: string;
}

/** A broker in a container that belongs to whoever started it; disposal removes it. */
export interface OwnBroker extends Broker, AsyncDisposable {
  readonly containerId: string;
}

export interface BrokerRequest {
  readonly version: BrokerVersion;
  /** More lines for `rabbitmq.conf`, such as `consumer_timeout = 60000`. */
  readonly configLines?: readonly string[];
  /** Plugins beyond management, stream and shovel, such as `rabbitmq_auth_mechanism_ssl`. */
  readonly plugins?: readonly string[];
  /** Listen on amqps and https too. */
  readonly tls?: BrokerTls;
  /** `host`: no port mapping between client and broker, which costs throughput. For the benchmark. */
  readonly network?: "host";
}

/**
 * Starts a broker nobody else uses and resolves when it takes connections, five to ten seconds later. Ports, data and
 * node name survive `restartBroker` and `killNode`.
 */
export async function startBroker(request: BrokerRequest): Promise<OwnBroker> {
  const ports = await brokerPorts();
  const container = await containerOf(request, ports).start();
  const containerId = container.getId();
  const broker: OwnBroker = {
    version: request.version,
    containerId,
    host: "127.0.0.1",
    username: "guest",
    password: "guest",
    amqpPort: ports.amqp,
    amqpUrl: `amqp://guest:guest@127.0.0.1:${ports.amqp}`,
    managementUrl: `http://127.0.0.1:${ports.management}`,
    ...(request.tls && {
      amqpsUrl: `amqps://guest:guest@localhost:${ports.amqps}`,
      managementTlsUrl: `https://localhost:${ports.managementTls}`,
    }),
    [Symbol.asyncDispose]: () => removeContainer(containerId),
  };
  try {
    await waitUntilReady(broker);
  } catch (error) {
    const log = await containerLog(containerId);
    await removeContainer(containerId);
    throw new Error(`broker ${request.version} did not get ready; its log ends:\n${log}`, { cause: error });
  }
  return broker;
}

/** Removes the broker's container and its data. The same as disposal; twice is no error. */
export async function stopBroker(broker: OwnBroker): Promise<void> {
  await removeContainer(broker.containerId);
}

/** The image for a release line: `MQBACKUP_IMAGE_4_3`, else the one `bin/setup --lab` provides. */
export function imageOf(version: BrokerVersion): string {
  return process.env[`MQBACKUP_IMAGE_${version.replace(".", "_")}`] ?? `mqbackup-lab/rabbitmq:${version}`;
}

function containerOf(request: BrokerRequest, ports: BrokerPorts): GenericContainer {
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true"; // its image may be out of reach; sweep.sh does its work
  const { files, environment } = brokerConfiguration(request, ports);
  const container = new GenericContainer(imageOf(request.version))
    .withLabels(ownerLabels())
    .withEnvironment(environment)
    .withCopyContentToContainer(files)
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/))
    .withStartupTimeout(120_000);
  if (request.network === "host") return container.withNetworkMode("host");
  const exposed = [
    { container: 5672, host: ports.amqp },
    { container: 15_672, host: ports.management },
    ...(request.tls
      ? [
          { container: 5671, host: ports.amqps },
          { container: 15_671, host: ports.managementTls },
        ]
      : []),
  ];
  return container.withHostname("broker").withExposedPorts(...exposed);
}
