import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { TempDirectory } from "../lab/temp.ts";
import type { LabVhost } from "../lab/vhost.ts";
import { measureNode, type Measured } from "./measure.ts";

/** What is benchmarked: `mqbackup` as users run it. */
export interface Subject {
  /** The file that Node runs. */
  readonly program: string;
  readonly vhost: LabVhost;
  readonly temp: TempDirectory;
}

export interface BackupMeasured extends Measured {
  /** From the first cut to the last release: how long a queue's messages were held at most. */
  readonly holdSeconds: number;
  /** Until all queues were read, from the start of the backup. */
  readonly readSeconds: number;
  readonly storedBytes: number;
  readonly messages: number;
}

/** `command`: full or incremental. */
export async function runBackup(
  subject: Subject,
  command: "full" | "incremental",
  target: string,
  queues: number,
): Promise<BackupMeasured> {
  const { vhost } = subject;
  // Statistics show for some seconds what a consumer that is gone had.
  const args = [
    command,
    "--target",
    target,
    "--parallel",
    String(queues),
    "--accept",
    "in-flight",
    "--quiet",
  ];
  const measured = await run(subject, args, brokerOf(vhost));
  const { measures } = await newestManifest(target);
  return {
    ...measured,
    holdSeconds: measures.longestHoldMs / 1000,
    readSeconds: measures.readMs / 1000,
    storedBytes: measures.storedBytes,
    messages: measures.messages,
  };
}

export async function runRestore(subject: Subject, target: string, queues: number): Promise<Measured> {
  const args = ["restore", "--id", "latest", "--target", target, "--parallel", String(queues), "--quiet"];
  return run(subject, args, brokerOf(subject.vhost));
}

export async function runHelp(subject: Pick<Subject, "program" | "temp">): Promise<Measured> {
  return run(subject, ["--help"]);
}

async function run(
  { program, temp }: Pick<Subject, "program" | "temp">,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  return measureNode([program, ...args], temp, env);
}

/** For the program's environment. */
export function brokerOf({
  url,
  broker: { managementUrl, username, password },
}: LabVhost): Record<string, string> {
  const management = new URL(managementUrl);
  management.username = username;
  management.password = password;
  return { MQBACKUP_URL: url, MQBACKUP_MANAGEMENT_URL: management.href };
}

interface KnownManifest {
  readonly measures: {
    readonly longestHoldMs: number;
    readonly readMs: number;
    readonly storedBytes: number;
    readonly messages: number;
  };
}

async function newestManifest(target: string): Promise<KnownManifest> {
  const folder = path.join(target, "backups");
  const [newest = ""] = (await readdir(folder)).toSorted().toReversed();
  return JSON.parse(await readFile(path.join(folder, newest, "manifest.json"), "utf8")) as KnownManifest;
}
