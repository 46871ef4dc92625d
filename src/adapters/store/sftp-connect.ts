import { connect, type Socket } from "node:net";
import ssh2, { type Client, type ServerHostKeyAlgorithm, type SFTPWrapper } from "ssh2";
import { BackupError } from "../../domain/errors.ts";
import type { SftpLocation } from "../../domain/sftp-location.ts";
import { fingerprintOf, knownHost, type KnownHost } from "./known-hosts.ts";
import { errnoOf } from "./file-errors.ts";
import { raced } from "./raced.ts";
import { fileOf, loginOf, type Login } from "./sftp-login.ts";
import { ConnectionLost, SftpSession } from "./sftp-session.ts";

const KNOWN_HOSTS = ["~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"];

/** Between two volumes nothing is sent for long: what lies between here and there must not forget the connection. */
const KEEP_ALIVE_MS = 30_000;

/** Signatures with SHA-1 are not taken. */
const HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

export interface ConnectOptions {
  /** For all of it, from the look-up of the name to the first request. */
  readonly connectMs: number;
  readonly silenceMs: number;
}

/**
 * A new session. Throws TARGET_REFUSED for a host that does not show a key of known_hosts and for a login it does not take,
 * SETTING_INVALID for files that cannot be used, ConnectionLost where nothing answers.
 */
export async function openSession(location: SftpLocation, options: ConnectOptions): Promise<SftpSession> {
  const host = await hostKeysOf(location);
  const login = await loginOf(location);
  if (login.methods.length === 0) throw refused(location, login);
  const opening = new Opening(location, login, host);
  try {
    return await opening.session(options);
  } catch (error) {
    opening.socket.destroy();
    throw error;
  }
}

async function hostKeysOf({ knownHosts, host, port }: SftpLocation): Promise<KnownHost> {
  const files = knownHosts === null ? KNOWN_HOSTS : [knownHosts];
  const option = knownHosts === null ? null : "knownHosts";
  const texts = await Promise.all(files.map(async (file) => fileOf(file, option)));
  return knownHost(
    texts.map((text) => text?.toString("utf8") ?? ""),
    host,
    port,
  );
}

class Opening {
  readonly socket: Socket;
  readonly #client: Client = new ssh2.Client();
  readonly #location: SftpLocation;
  readonly #login: Login;
  readonly #host: KnownHost;
  /** What our own look at the host's key found. */
  #distrust: BackupError | null = null;
  #shaken = false;

  constructor(location: SftpLocation, login: Login, host: KnownHost) {
    this.#location = location;
    this.#login = login;
    this.#host = host;
    const { host: address, port } = location;
    this.socket = connect({
      host: address,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
  }

  async session({ connectMs, silenceMs }: ConnectOptions): Promise<SftpSession> {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new ConnectionLost("silent")), connectMs);
    try {
      return await raced(this.#opened(silenceMs), ending.signal);
    } catch (error) {
      throw this.#distrust ?? this.#meaningOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #opened(silenceMs: number): Promise<SftpSession> {
    const client = this.#client;
    // What an agent cannot do, the next way to log in may: only the last failure counts, and that ends the connection.
    const failed = new Promise<never>((_resolve, reject) => {
      client.on("error", (error) => {
        if (!("level" in error) || error.level !== "agent") reject(error);
      });
      client.on("close", () => reject(new ConnectionLost("lost")));
    });
    failed.catch(() => undefined);
    const ready = new Promise<void>((resolve) => client.on("ready", resolve));
    client.on("handshake", () => (this.#shaken = true));
    client.connect({
      sock: this.socket,
      username: this.#login.user,
      authHandler: [...this.#login.methods],
      hostVerifier: (key: Buffer) => this.#isTrusted(key),
      algorithms: { serverHostKey: this.#algorithms() },
      readyTimeout: 0,
    });
    await Promise.race([ready, failed]);
    const sftp = await Promise.race([subsystemOf(client, this.#location), failed]);
    return new SftpSession(client, sftp, this.socket, silenceMs);
  }

  /** Those of the known keys first: the server then shows one of them if it has it. */
  #algorithms(): ServerHostKeyAlgorithm[] {
    const isKnown = (algorithm: ServerHostKeyAlgorithm): boolean =>
      this.#host.keyTypes.includes(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
    return HOST_KEY_ALGORITHMS.toSorted((a, b) => Number(isKnown(b)) - Number(isKnown(a)));
  }

  #isTrusted(key: Buffer): boolean {
    const verdict = this.#host.verdict(key);
    if (verdict === "known") return true;
    const { host, port, knownHosts } = this.#location;
    const shown = fingerprintOf(key);
    const kind = /ed25519|ecdsa|rsa/.exec(shown)?.[0] ?? "*";
    const where = knownHosts ?? "~/.ssh/known_hosts";
    const scan = `ssh-keyscan ${port === 22 ? "" : `-p ${port} `}${host} >> ${where}`;
    const [what, hint] = {
      revoked: [
        `shows a key that is revoked in ${where}: ${shown}`,
        "Do not use this host before it is clear why.",
      ],
      changed: [
        `shows another key than ${where} has for it: ${shown}`,
        `Somebody may be listening in. If the host was set up anew, compare this fingerprint with what ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub says on the host itself, and replace the line in ${where}.`,
      ],
      unknown: [
        `is not known: it shows the key ${shown}`,
        `Compare this fingerprint with what ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub says on the host itself; if they agree, make the host known with "${scan}".`,
      ],
    }[verdict];
    this.#distrust = new BackupError("TARGET_REFUSED", `host ${host}:${port} ${what}`, { hint: hint ?? "" });
    return false;
  }

  /** Before the keys are exchanged it is the network, after that the login. */
  #meaningOf(error: unknown): unknown {
    if (error instanceof BackupError || error instanceof ConnectionLost || !(error instanceof Error))
      return error;
    const { host, port } = this.#location;
    const level = "level" in error ? error.level : null;
    if (level === "client-socket") return new ConnectionLost(errnoIn(error) ?? "lost");
    if (level === "client-authentication" || this.#shaken) return refused(this.#location, this.#login);
    if (level === "protocol") return new ConnectionLost("lost");
    return new BackupError("TARGET_REFUSED", `${host}:${port} and mqbackup do not agree on how to talk`, {
      hint: "The server must speak SSH 2 with today's algorithms: OpenSSH 7.2 or newer does.",
      cause: new Error(`${String(level)} ${/^[\x20-\x7E]{1,100}$/.exec(error.message)?.[0] ?? ""}`),
    });
  }
}

async function subsystemOf(client: Client, { host, port }: SftpLocation): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error === undefined) resolve(sftp);
      else
        reject(
          new BackupError("TARGET_REFUSED", `${host}:${port} takes the login, but offers no SFTP`, {
            hint: "Have its sshd_config say: Subsystem sftp internal-sftp.",
          }),
        );
    });
  });
}

function refused({ host, port }: SftpLocation, { user, tried }: Login): BackupError {
  return new BackupError(
    "TARGET_REFUSED",
    `${host}:${port} does not take the login of ${user}: ${tried.length === 0 ? "there is no key to log in with" : `tried ${tried.join(", ")}`}`,
    {
      hint: "Name a key with identityFile=, whose public part stands in authorized_keys there, or start an agent (SSH_AUTH_SOCK).",
    },
  );
}

/** Several addresses of one host fail as one. */
function errnoIn(error: Error): string | undefined {
  const [first] = error instanceof AggregateError ? error.errors : [];
  return errnoOf(first) ?? errnoOf(error);
}
