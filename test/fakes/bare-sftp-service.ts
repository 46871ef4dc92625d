import { once } from "node:events";
import ssh2, { type AuthContext, type SFTPWrapper } from "ssh2";

/** What SFTP version 3 itself has, and none of OpenSSH's extensions: a directory with one file, which takes what is written. */
export interface BareSftpService extends AsyncDisposable {
  readonly port: number;
  /** For known_hosts. */
  readonly hostKey: string;
  /** How the last one logged in. */
  readonly loggedInBy: () => string | null;
}

export interface Logins {
  readonly password: string;
  /** Asked for the password in its words, and not in the way that is made for it. */
  readonly interactive?: boolean;
}

const { OK, EOF } = ssh2.utils.sftp.STATUS_CODE;

export async function startBareSftpService({
  password,
  interactive = false,
}: Logins): Promise<BareSftpService> {
  const key = ssh2.utils.generateKeyPairSync("ed25519");
  let loggedInBy: string | null = null;
  const server = new ssh2.Server({ hostKeys: [key.private] }, (client) => {
    client
      .on("error", () => undefined)
      .on("authentication", (context) => {
        const enter = (): void => {
          loggedInBy = context.method;
          context.accept();
        };
        if (context.method === "password" && !interactive && context.password === password) enter();
        else if (context.method === "keyboard-interactive" && interactive)
          context.prompt([{ prompt: "Password:", echo: false }], ([answer]) =>
            answer === password ? enter() : context.reject(),
          );
        else context.reject(allowed(interactive));
      })
      .on("session", (accept) => {
        accept().on("sftp", (acceptSftp) => serve(acceptSftp()));
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return {
    port,
    hostKey: key.public,
    loggedInBy: () => loggedInBy,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

function allowed(interactive: boolean): AuthContext["method"][] {
  return [interactive ? "keyboard-interactive" : "password"];
}

function serve(sftp: SFTPWrapper): void {
  const attrs = { mode: 0o100_600, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };
  const folder = { ...attrs, mode: 0o040_700 };
  let read = false;
  sftp
    .on("OPEN", (id) => sftp.handle(id, Buffer.from("file")))
    .on("OPENDIR", (id) => {
      read = false;
      sftp.handle(id, Buffer.from("folder"));
    })
    .on("READDIR", (id) => {
      if (read) sftp.status(id, EOF);
      else sftp.name(id, [{ filename: "a", longname: "a", attrs }]);
      read = true;
    })
    .on("FSTAT", (id) => sftp.attrs(id, attrs))
    .on("STAT", (id) => sftp.attrs(id, folder));
  for (const request of ["WRITE", "CLOSE", "REMOVE", "MKDIR", "RMDIR"] as const)
    sftp.on(request, (id: number) => sftp.status(id, OK));
}
