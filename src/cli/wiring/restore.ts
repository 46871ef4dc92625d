import { randomBytes } from "node:crypto";
import type { DrillDeps, DrillEvent } from "../../usecases/drill-types.ts";
import type { RestoreDeps, RestoreEvent } from "../../usecases/restore-types.ts";
import { endpointOf } from "../broker-endpoint.ts";
import type { Session } from "../session.ts";
import { wireBroker, type Wired } from "./broker.ts";
import { wireRepository } from "./repository.ts";
import { sleep, wireRun } from "./run.ts";
import { wireState } from "./state.ts";
import type { OnFallback } from "./targets.ts";

export async function wireRestore(
  session: Session,
  report: (event: RestoreEvent) => void,
  onFallback: OnFallback,
): Promise<Wired<RestoreDeps>> {
  const [{ openQueueWriter }, journals, broker, repository] = await Promise.all([
    import("../../adapters/amqp/queue-writer.ts"),
    wireState(session),
    wireBroker(session),
    wireRepository(session, session.settings.target, onFallback),
  ]);
  return {
    access: broker.access,
    deps: {
      store: repository.store,
      codec: repository.codec,
      directory: broker.directory,
      reader: broker.reader,
      openWriter: async (vhost, options) => openQueueWriter({ ...endpointOf(broker.access), vhost }, options),
      journals,
      now: () => new Date(),
      sleep: (ms, signal) => sleep(ms, signal),
      deadline: (ms) => AbortSignal.timeout(ms),
      report,
    },
    [Symbol.asyncDispose]: async () => {
      broker[Symbol.dispose]();
      await repository[Symbol.asyncDispose]();
    },
  };
}

export async function wireDrill(
  session: Session,
  report: (event: DrillEvent) => void,
  onFallback: OnFallback,
): Promise<Wired<DrillDeps>> {
  const [{ openQueueWriter }, { scratchVhosts }, { managementDirectory }, run, broker, repository] =
    await Promise.all([
      import("../../adapters/amqp/queue-writer.ts"),
      import("../../adapters/management/scratch-vhosts.ts"),
      import("../../adapters/management/broker-directory.ts"),
      wireRun(),
      wireBroker(session),
      wireRepository(session, session.settings.target, onFallback),
    ]);
  const { access } = broker;
  const management = { urls: access.managementUrls ?? [], tls: access.tls };
  const directory = managementDirectory(management);
  const scratch = scratchVhosts(management, access.user);
  return {
    access,
    deps: {
      store: repository.store,
      codec: repository.codec,
      directory,
      reader: broker.reader,
      openWriter: async (vhost, options) => openQueueWriter({ ...endpointOf(access), vhost }, options),
      scratch,
      newRunId: () => randomBytes(8).toString("hex"),
      ...run,
      deadline: (ms) => AbortSignal.timeout(ms),
      report,
    },
    [Symbol.asyncDispose]: async () => {
      scratch[Symbol.dispose]();
      directory[Symbol.dispose]();
      broker[Symbol.dispose]();
      await repository[Symbol.asyncDispose]();
    },
  };
}
