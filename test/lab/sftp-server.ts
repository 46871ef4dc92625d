import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";
import { tempDirectory } from "./temp.ts";

const run = promisify(execFile);

/** Debian's openssh-server, which `bin/setup --lab` installs. */
const SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find(existsSync);

/** Why there is no server to test with; null when there is one. */
export const NO_SSHD = SSHD === undefined ? "no sshd here: bin/setup --lab installs it" : null;

/** A real OpenSSH server on loopback, with keys of its own. Disposal ends it and removes its files. */
export interface SftpServer extends AsyncDisposable {
  readonly port: number;
  /** Whoever runs the tests. */
  readonly user: string;
  readonly identityFile: string;
  /** Of this server at any port of 127.0.0.1. */
  readonly knownHosts: string;
  /** Its host key, as ssh-keygen shows it: SHA256:... */
  readonly fingerprint: string;
  /** A path among its files. */
  join(...parts: readonly string[]): string;
  /** `sftp://...` of a directory, with all that is needed to log in. */
  target(directory: string, options?: { readonly port?: number; readonly user?: string }): string;
  /** Ends it and all its connections, with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same port. */
  start(): Promise<void>;
}

/** `configuration`: further lines of sshd_config. */
export async function startSftpServer(configuration: readonly string[] = []): Promise<SftpServer> {
  const directory = await tempDirectory();
  const port = await freePort();
  const [hostKey, identityFile] = [directory.join("host_key"), directory.join("id_ed25519")];
  for (const file of [hostKey, identityFile]) await makeKey(file);
  const { username: user, uid } = userInfo();
  const authorized = directory.join("authorized_keys");
  await writeFile(authorized, await readFile(`${identityFile}.pub`));
  const knownHosts = directory.join("known_hosts");
  await writeFile(knownHosts, `[127.0.0.1]:* ${await readFile(`${hostKey}.pub`, "utf8")}`);
  const { stdout: shown } = await run("ssh-keygen", ["-lf", hostKey]);
  const config = directory.join("sshd_config");
  const lines = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorized}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PidFile none",
    "MaxStartups 100",
    "MaxSessions 100",
    "Subsystem sftp internal-sftp",
    ...configuration,
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  if (uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 }); // where sshd locks itself up
  const server = { process: await startSshd(config) };
  return {
    port,
    user,
    identityFile,
    knownHosts,
    fingerprint: /SHA256:\S+/.exec(shown)?.[0] ?? "",
    join: (...parts) => directory.join(...parts),
    target(path, { port: at = port, user: as = user } = {}) {
      const options = new URLSearchParams({ identityFile, knownHosts }).toString();
      return `sftp://${as}@127.0.0.1:${at}${path}?${options}`;
    },
    kill: async () => stop(server.process),
    start: async () => void (server.process = await startSshd(config)),
    [Symbol.asyncDispose]: async () => {
      await stop(server.process);
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Without a passphrase unless one is given. */
export async function makeKey(file: string, passphrase = "", type = "ed25519"): Promise<void> {
  await run("ssh-keygen", ["-q", "-a", "1", "-t", type, "-N", passphrase, "-f", file, "-C", "mqbackup-lab"]);
}

type Sshd = ReturnType<typeof spawn>;

/** A shell watches over it: when the test run dies, its end of the pipe closes, and the server ends too. */
async function startSshd(config: string): Promise<Sshd> {
  const script = `"$1" -D -e -f "$2" </dev/null & read -r _; kill -KILL $!; wait $!`;
  const child = spawn("sh", ["-c", script, "sshd", SSHD ?? "sshd", config], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (/Server listening on/.test(log)) resolve();
    });
    child.once("exit", () => reject(new Error(`sshd did not start: ${log}`)));
  });
  return child;
}

/** The listener takes no more connections; whoever it has forked for one ends, and then it does. */
async function stop(child: Sshd): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  const [listener] = await childrenOf(child.pid);
  if (listener !== undefined) {
    signal(listener, "SIGSTOP");
    for (const pid of (await descendantsOf(listener)).toReversed()) signal(pid, "SIGKILL");
  }
  child.stdin?.end();
  await ended;
}

/** Nobody may be there any more. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

async function descendantsOf(pid: number): Promise<readonly number[]> {
  const children = await childrenOf(pid);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.trim() === "" ? [] : text.trim().split(" ").map(Number);
}
