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

export interface FullMeasured extends Measured {
  /** From the first cut to the last release: how long a queue's messages were held at most. */
  readonly holdSeconds: number;
  /** Until all queues were read, from the start of the backup. */
  readonly readSeconds: number;
  readonly storedBytes: number;
}

export async function runFull(subject: Subject, target: string, queues: number): Promise<FullMeasured> {
  const { vhost } = subject;
  const measured = await run(subject, [
    "full",
    ...broker(vhost),
    "--target",
    target,
    "--parallel",
    String(queues),
  ]);
  const { measures } = await newestManifest(target);
  return {
    ...measured,
    holdSeconds: measures.longestHoldMs / 1000,
    readSeconds: measures.readMs / 1000,
    storedBytes: measures.storedBytes,
  };
}

export async function runRestore(subject: Subject, target: string, queues: number): Promise<Measured> {
  const more = ["--id", "latest", "--target", target, "--parallel", String(queues)];
  return run(subject, ["restore", ...broker(subject.vhost), ...more]);
}

export async function runHelp(subject: Pick<Subject, "program" | "temp">): Promise<Measured> {
  return run(subject, ["--help"]);
}

async function run(
  { program, temp }: Pick<Subject, "program" | "temp">,
  args: readonly string[],
): Promise<Measured> {
  return measureNode([program, ...args], temp);
}

function broker({ url, broker: { managementUrl, username, password } }: LabVhost): string[] {
  const management = new URL(managementUrl);
  management.username = username;
  management.password = password;
  return ["--url", url, "--management-url", management.href];
}

interface KnownManifest {
  readonly measures: {
    readonly longestHoldMs: number;
    readonly readMs: number;
    readonly storedBytes: number;
  };
}

async function newestManifest(target: string): Promise<KnownManifest> {
  const folder = path.join(target, "backups");
  const [newest = ""] = (await readdir(folder)).toSorted().toReversed();
  return JSON.parse(await readFile(path.join(folder, newest, "manifest.json"), "utf8")) as KnownManifest;
}
