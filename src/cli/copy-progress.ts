import type { CopyEvent, CopyOutcome } from "../usecases/copy-types.ts";
import { leaseJson, leaseLine } from "./lease-events.ts";
import type { Progress } from "./progress.ts";
import { copyVerdict, outcomeJson } from "./render-copy.ts";
import { visible } from "./terminal-text.ts";
import { Throttle } from "./throttle.ts";

/** Shows what is read and put as it goes. */
export function showCopy(progress: Progress): (event: CopyEvent) => void {
  const throttle = new Throttle();
  let done = 0;
  return (event) => {
    switch (event.kind) {
      case "lease-broken":
      case "removal-refused":
      case "puts-unconditional":
        progress.event(leaseJson(event));
        progress.line(leaseLine(event));
        break;
      case "check-begun":
      case "copy-begun":
        done = 0;
        progress.event({ event: event.kind, target: event.location, id: event.id, bytes: event.bytes });
        progress.begin(event.id, {
          name: event.kind === "check-begun" ? `checking ${event.id}` : event.id,
          total: event.bytes,
        });
        break;
      case "bytes-checked":
      case "bytes-copied":
        done += event.bytes;
        progress.advance(event.id, done, done);
        if (throttle.isDue(event.id))
          progress.event({ event: event.kind, target: event.location, id: event.id, bytes: done });
        break;
      case "checked":
        progress.event({ event: event.kind, target: event.location, id: event.id });
        progress.end(event.id);
        break;
      case "backup-ended":
        endBackup(progress, event.location, event.outcome);
        break;
    }
  };
}

function endBackup(progress: Progress, location: string, outcome: CopyOutcome): void {
  const { step } = outcome;
  if (step.action === "none" && !step.mark) return;
  progress.event({ event: "backup-ended", target: location, ...outcomeJson(outcome, false) });
  progress.end(step.source.id);
  progress.line(`${step.source.id} at ${visible(location)}: ${copyVerdict(outcome, false)}`);
}
