/** The set a backup belongs to when none is named: the same cluster and virtual hosts asked for, the same set. */
export function defaultSet(clusterName: string | null, vhosts: readonly string[] | "all"): string {
  const named = vhosts === "all" ? ["(all virtual hosts)"] : [...new Set(vhosts)].toSorted();
  return [clusterName ?? "rabbitmq", ...named].join(" ");
}
