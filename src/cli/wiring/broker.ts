import type { BrokerDirectory } from "../../ports/broker-directory.ts";
import type { QueueReader } from "../../ports/queue-reader.ts";
import type { CheckDeps } from "../../usecases/check.ts";
import { brokerAccess, type BrokerAccess } from "../broker-access.ts";
import { endpointOf } from "../broker-endpoint.ts";
import type { Session } from "../session.ts";

/** What a command works with, and what of the settings only the wiring knows. Disposing ends threads and idle connections. */
export interface Wired<Deps> extends AsyncDisposable {
  readonly deps: Deps;
  readonly access: BrokerAccess;
}

export async function wireCheck(session: Session): Promise<Wired<CheckDeps>> {
  const broker = await wireBroker(session);
  return {
    access: broker.access,
    deps: { directory: broker.directory, reader: broker.reader },
    [Symbol.asyncDispose]: async () => Promise.resolve(broker[Symbol.dispose]()),
  };
}

interface Broker extends Disposable {
  readonly access: BrokerAccess;
  readonly directory: BrokerDirectory | null;
  readonly reader: QueueReader;
}

export async function wireBroker(session: Session): Promise<Broker> {
  const access = await brokerAccess(session.settings);
  for (const secret of access.secrets) session.keepSecret(secret);
  const [{ amqpQueueReader }, { managementDirectory }] = await Promise.all([
    import("../../adapters/amqp/queue-reader.ts"),
    import("../../adapters/management/broker-directory.ts"),
  ]);
  const directory =
    access.managementUrls === null
      ? null
      : managementDirectory({ urls: access.managementUrls, tls: access.tls });
  return {
    access,
    directory,
    reader: amqpQueueReader(endpointOf(access)),
    [Symbol.dispose]: () => directory?.[Symbol.dispose](),
  };
}
