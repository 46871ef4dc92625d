import type { VerifyEvent } from "../usecases/verify.ts";
import type { Progress } from "./progress.ts";
import { Throttle } from "./throttle.ts";
import { visible } from "./terminal-text.ts";
import { formatCounted } from "./units.ts";

/** Shows a verification's events as they come. */
export function showVerify(progress: Progress): (event: VerifyEvent) => void {
  const throttle = new Throttle();
  let read = 0;
  return (event) => {
    switch (event.kind) {
      case "backup-opened":
        read = 0;
        progress.event({ event: event.kind, id: event.id, bytes: event.bytes });
        progress.begin(event.id, { name: event.id, total: event.bytes });
        break;
      case "bytes-read":
        read += event.bytes;
        progress.advance(event.id, read, read);
        if (throttle.isDue(event.id)) progress.event({ event: event.kind, id: event.id, bytes: read });
        break;
      case "found":
        progress.event({ event: event.kind, finding: event.finding });
        progress.line(`${event.finding.severity}: ${visible(event.finding.message)}`);
        break;
      case "backup-verified":
        progress.event({ event: event.kind, ...event.backup });
        progress.end(event.backup.id);
        progress.line(
          event.backup.problems === 0
            ? `${event.backup.id}: sound`
            : `${event.backup.id}: ${formatCounted(event.backup.problems, "problem")}`,
          { shownWithBars: false },
        );
        break;
    }
  };
}
