import type { RunIdentity } from "./lease.ts";

/** A virtual host that a drill made for itself, as the broker describes it. */
export interface ScratchHost {
  readonly name: string;
  readonly description: string;
}

/** All virtual hosts of drills begin so. */
const SCRATCH_PREFIX = "mqbackup.drill.";

/** Every one has this tag besides: a name alone is no reason to delete anything. */
export const SCRATCH_TAG = "mqbackup-drill";

/** No drill takes so long, unless connections say that it does. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000;

export function isScratchName(vhost: string): boolean {
  return vhost.startsWith(SCRATCH_PREFIX);
}

/** Names for as many virtual hosts as a drill needs. `run` is the drill's alone. */
export function scratchNames(run: string, vhosts: readonly string[]): ReadonlyMap<string, string> {
  return new Map(vhosts.map((vhost, at) => [vhost, `${SCRATCH_PREFIX}${run}.${at + 1}`]));
}

/** Says to people what it is, and to a later drill whose and since when. */
export function scratchDescription(madeAt: Date, { machine, pid, run }: Owner): string {
  return `scratch of mqbackup drill, made at ${madeAt.toISOString()} by ${machine}-${pid}-${run}; may be deleted`;
}

/** The process at work. */
type Owner = Omit<RunIdentity, "host">;

const DESCRIPTION = /^scratch of mqbackup drill, made at (\S+) by ([^\s-]+)-(\d+)-([^\s-]+); may be deleted$/;

export type Abandonment =
  /** Whoever made it has ended. */
  | "abandoned"
  /** It has had its time: only connections speak for it. */
  | "overdue"
  /** In use, or not made by a drill. */
  | "not-known";

/** What is to be thought of a virtual host with the name and tag of a drill. */
export function abandonment(
  { name, description }: ScratchHost,
  now: Date,
  isGone: (owner: Owner) => boolean,
): Abandonment {
  const [, madeAt = "", machine = "", pid = "", run = ""] = DESCRIPTION.exec(description) ?? [];
  const made = Date.parse(madeAt);
  if (!isScratchName(name) || Number.isNaN(made)) return "not-known";
  if (isGone({ machine, pid: Number(pid), run })) return "abandoned";
  return now.getTime() - made > MAX_AGE_MS ? "overdue" : "not-known";
}
