/** The set a backup belongs to when none is named: the same cluster and virtual hosts, the same set. */
export function defaultSet(clusterName: string | null, vhosts: readonly string[]): string {
  return [clusterName ?? "rabbitmq", ...[...new Set(vhosts)].toSorted()].join(" ");
}
