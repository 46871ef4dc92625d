import { connect, credentials } from "amqplib";
import type { Channel, ChannelModel, ConfirmChannel, Options } from "amqplib";
import { BackupError } from "../../domain/errors.ts";
import type { BrokerInfo } from "../../domain/queue.ts";
import type { Abortable } from "../../ports/abortable.ts";
import { connectError, lostError } from "./amqp-errors.ts";
import { rawConnection, type RawConnection } from "./raw-connection.ts";
import { ReceiveMemory } from "./receive-memory.ts";
import { loseWhenSilent } from "./silence.ts";

export interface AmqpEndpoint {
  /** Tried in order. They hold credentials: never printed; `describeUrl` makes them fit to be seen. */
  readonly urls: readonly string[];
  readonly vhost: string;
  readonly tls: TlsMaterial;
  /** plain: user and password of the URL. external: the TLS client certificate. */
  readonly auth: "plain" | "external";
  readonly heartbeatSeconds: number;
  /** Shown in the broker's management pages. */
  readonly connectionName: string;
  readonly connectTimeoutMs: number;
}

export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** One AMQP connection. Disposing closes it; closing twice, or after it was lost, is fine. */
export interface AmqpConnection extends AsyncDisposable {
  readonly model: ChannelModel;
  readonly raw: RawConnection;
  /** What its socket is read into. */
  readonly received: ReceiveMemory;
  /** Without credentials. */
  readonly url: string;
  readonly broker: BrokerInfo;
  /** Set once the connection is gone, by us or by others. */
  readonly lost: BackupError | null;
  /** Called once when the connection is lost without our closing it, or at once if it is lost already. */
  onLost(listener: (error: BackupError) => void): void;
  openChannel(): Promise<Channel>;
  openConfirmChannel(): Promise<ConfirmChannel>;
}

/**
 * Connects to the first URL that answers. The signal goes on to count: once it is aborted, a connection the broker does not answer on
 * is lost. A refused login ends the attempt at once: trying others could lock the account.
 * Throws BROKER_UNREACHABLE, LOGIN_REFUSED, VHOST_MISSING, or the signal's reason.
 */
export async function openConnection(
  endpoint: AmqpEndpoint,
  options: Abortable = {},
): Promise<AmqpConnection> {
  let last: BackupError | null = null;
  for (const url of endpoint.urls) {
    options.signal?.throwIfAborted();
    try {
      return await openOne(url, endpoint, options.signal);
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== "BROKER_UNREACHABLE") throw error;
      last = error;
    }
  }
  throw (
    last ??
    new BackupError("SETTING_INVALID", "no broker URL was given", { hint: "Set MQBACKUP_URL or --url." })
  );
}

async function openOne(
  url: string,
  endpoint: AmqpEndpoint,
  signal: AbortSignal | undefined,
): Promise<AmqpConnection> {
  const shown = describeUrl(url, endpoint.vhost);
  const received = new ReceiveMemory();
  // amqplib hands on to the socket what it does not know.
  const options = {
    ...endpoint.tls,
    onread: received.onread,
    noDelay: true,
    keepAlive: true,
    timeout: endpoint.connectTimeoutMs,
    clientProperties: { product: "mqbackup", connection_name: endpoint.connectionName },
    ...(endpoint.auth === "external" ? { credentials: credentials.external() } : {}),
  };
  const attempt = connect(connectOptions(url, endpoint), options);
  try {
    const model = await abortable(attempt, signal);
    const connection = wrap(model, received, shown);
    if (signal) loseWhenSilent(connection.raw.stream, signal);
    return connection;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw connectError(error, shown, endpoint.vhost);
  }
}

function connectOptions(url: string, endpoint: AmqpEndpoint): Options.Connect {
  const parsed = new URL(url);
  const external = endpoint.auth === "external";
  return {
    protocol: parsed.protocol.slice(0, -1),
    hostname: parsed.hostname.replace(/^\[|\]$/g, ""),
    ...(parsed.port === "" ? {} : { port: Number(parsed.port) }),
    ...(parsed.username === "" || external
      ? {}
      : { username: decodeURIComponent(parsed.username), password: decodeURIComponent(parsed.password) }),
    vhost: encodeURIComponent(endpoint.vhost),
    heartbeat: endpoint.heartbeatSeconds,
  };
}

/** A connection that opens after the abort is closed again. */
async function abortable(
  attempt: Promise<ChannelModel>,
  signal: AbortSignal | undefined,
): Promise<ChannelModel> {
  if (!signal) return attempt;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(signal.reason);
      attempt.then(closeUnused, () => undefined);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([attempt, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function closeUnused(model: ChannelModel): void {
  // Without a listener an error would end the process.
  model.on("error", () => undefined);
  closeWithin(model, CLOSE_TIMEOUT_MS).catch(() => undefined);
}

function wrap(model: ChannelModel, received: ReceiveMemory, url: string): AmqpConnection {
  const raw = rawConnection(model);
  const listeners: ((error: BackupError) => void)[] = [];
  let lost: BackupError | null = null;
  let closing = false;
  let cause: unknown;
  // amqplib says "error" first and "close" always, also after our own close.
  model.on("error", (error: unknown) => (cause = error));
  model.on("close", (error: unknown) => {
    // amqplib only ends its side; towards a host that is gone the socket would stay for minutes.
    setTimeout(() => raw.stream.destroy(), LINGER_MS).unref();
    if (lost) return;
    lost = lostError(error ?? cause, url);
    if (closing) return;
    for (const listener of listeners) listener(lost);
  });
  return {
    model,
    raw,
    received,
    url,
    broker: brokerOf(raw),
    get lost() {
      return lost;
    },
    onLost(listener) {
      if (lost && !closing) listener(lost);
      else listeners.push(listener);
    },
    openChannel: () =>
      openOn(
        () => model.createChannel(),
        () => lost,
      ),
    openConfirmChannel: () =>
      openOn(
        () => model.createConfirmChannel(),
        () => lost,
      ),
    async [Symbol.asyncDispose]() {
      if (closing || lost) return;
      closing = true;
      await closeWithin(model, CLOSE_TIMEOUT_MS);
    },
  };
}

const CLOSE_TIMEOUT_MS = 5000;
const LINGER_MS = 1000;

/** A broker that does not answer the farewell must not hold up the end of the run: the socket is then torn down. */
async function closeWithin(model: ChannelModel, timeoutMs: number): Promise<void> {
  const raw = rawConnection(model);
  // With an error, or amqplib would not notice and beat on.
  const timer = setTimeout(() => raw.stream.destroy(new Error("no answer to the farewell")), timeoutMs);
  const destroyed = new Promise<void>((resolve) => raw.stream.once("close", resolve));
  try {
    await Promise.race([model.close(), destroyed]);
  } catch {
    // closed meanwhile: what was wanted
  } finally {
    clearTimeout(timer);
  }
}

async function openOn<C extends Channel>(open: () => Promise<C>, lost: () => BackupError | null): Promise<C> {
  const gone = lost();
  if (gone) throw gone;
  try {
    const channel = await open();
    // Without a listener a channel error would end the process; who uses the channel adds a listener of their own.
    channel.on("error", () => undefined);
    return channel;
  } catch (error) {
    throw lost() ?? lostError(error, "the broker");
  }
}

function brokerOf(raw: RawConnection): BrokerInfo {
  const text = (name: string): string | null => {
    const value = raw.serverProperties[name];
    return typeof value === "string" ? value : null;
  };
  return {
    product: text("product") ?? "unknown",
    version: text("version") ?? "unknown",
    clusterName: text("cluster_name"),
  };
}

/** scheme, host, port and virtual host; never credentials or parameters. */
function describeUrl(url: string, vhost: string): string {
  const parsed = new URL(url);
  return `${parsed.protocol}//${parsed.host}/${encodeURIComponent(vhost)}`;
}
