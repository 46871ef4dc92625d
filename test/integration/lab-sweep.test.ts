import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { BROKER_VERSIONS, imageOf } from "../lab/brokers.ts";
import { docker, removeContainer } from "../lab/docker.ts";
import { ownerLabels } from "../lab/lab-run.ts";

const SWEEP = path.resolve(import.meta.dirname, "../lab/sweep.sh");

test("the sweep removes what dead processes left and nothing else", async () => {
  const ours = ownerLabels();
  const { pid: gone } = spawnSync("true");
  const owned = {
    "of a living process": ours,
    "of another machine": { ...ours, "mqbackup-lab.host": "elsewhere", "mqbackup-lab.owner": String(gone) },
    "without the lab's mark": { ...ours, "mqbackup-lab": "0", "mqbackup-lab.owner": String(gone) },
    "of a dead process": { ...ours, "mqbackup-lab.owner": String(gone) },
    "of a dead process whose id is used again": { ...ours, "mqbackup-lab.owner-started": "1" },
  };
  const ids = new Map<string, string>();
  try {
    for (const [name, labels] of Object.entries(owned)) ids.set(name, await container(labels));
    spawnSync(SWEEP);
    const present = await docker(["ps", "--all", "--quiet", "--no-trunc"]);
    const left = [...ids].filter(([, id]) => present.includes(id)).map(([name]) => name);
    expect(left).toEqual(["of a living process", "of another machine", "without the lab's mark"]);
  } finally {
    for (const id of ids.values()) await removeContainer(id);
  }
});

async function container(labels: Readonly<Record<string, string>>): Promise<string> {
  const marks = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  const [version] = BROKER_VERSIONS;
  return (await docker(["create", ...marks, imageOf(version)])).trim();
}
