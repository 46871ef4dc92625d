import type { PruneEvent } from "../usecases/prune-removal.ts";
import { leaseJson, leaseLine } from "./lease-events.ts";
import type { Progress } from "./progress.ts";
import { formatBytes } from "./units.ts";

/** Shows what is removed as it goes. */
export function showPrune(progress: Progress): (event: PruneEvent) => void {
  return (event) => {
    if (!("id" in event)) {
      progress.event(leaseJson(event));
      progress.line(leaseLine(event));
      return;
    }
    const { kind, id, bytes } = event;
    progress.event({ event: kind, id, bytes });
    const what = kind === "backup-removed" ? id : `orphans of ${id}`;
    progress.line(`${what}: removed, ${formatBytes(bytes)} freed`);
  };
}
