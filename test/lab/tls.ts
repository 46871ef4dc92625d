import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { tempDirectory, type TempDirectory } from "./temp.ts";

const run = promisify(execFile);

/** A certificate and its private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a broker needs to listen with TLS. */
export interface BrokerTls {
  /** Certificate of the authority that signed server and clients, PEM. */
  readonly ca: string;
  readonly server: KeyPair;
  /** Refuse clients without a certificate of this authority; default false. */
  readonly verifyPeer?: boolean;
}

/** An authority with a server (`localhost`, 127.0.0.1) and a client (common name `guest`), for a day. */
export interface LabAuthority extends BrokerTls, AsyncDisposable {
  readonly client: KeyPair;
  /** The same as files, for programs that want paths. */
  readonly files: { readonly ca: string; readonly clientCert: string; readonly clientKey: string };
}

/** Makes a certificate authority of our own with openssl; disposal removes its files. */
export async function makeAuthority(options: { readonly verifyPeer?: boolean } = {}): Promise<LabAuthority> {
  const directory = await tempDirectory();
  await openssl(
    directory,
    "req",
    "-x509",
    ...KEY,
    "-keyout",
    "ca-key.pem",
    "-out",
    "ca.pem",
    ...subject("mqbackup lab"),
  );
  const server = await issue(directory, "server", "localhost", [
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "extendedKeyUsage=serverAuth",
  ]);
  const client = await issue(directory, "client", "guest", ["extendedKeyUsage=clientAuth"]);
  return {
    ca: await readFile(directory.join("ca.pem"), "utf8"),
    server,
    client,
    verifyPeer: options.verifyPeer ?? false,
    files: {
      ca: directory.join("ca.pem"),
      clientCert: directory.join("client.pem"),
      clientKey: directory.join("client-key.pem"),
    },
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];

async function issue(
  directory: TempDirectory,
  name: string,
  commonName: string,
  extensions: string[],
): Promise<KeyPair> {
  await writeFile(directory.join(`${name}.ext`), extensions.join("\n") + "\n");
  const request = [
    ...KEY.slice(0, -2),
    "-keyout",
    `${name}-key.pem`,
    "-out",
    `${name}.csr`,
    ...subject(commonName),
  ];
  await openssl(directory, "req", ...request);
  const signing = [
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca-key.pem",
    "-CAcreateserial",
    "-days",
    "1",
    "-extfile",
    `${name}.ext`,
  ];
  await openssl(directory, "x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signing);
  return {
    cert: await readFile(directory.join(`${name}.pem`), "utf8"),
    key: await readFile(directory.join(`${name}-key.pem`), "utf8"),
  };
}

function subject(commonName: string): string[] {
  return ["-subj", `/CN=${commonName}`];
}

async function openssl(directory: TempDirectory, ...args: readonly string[]): Promise<void> {
  await run("openssl", [...args], { cwd: directory.path });
}
