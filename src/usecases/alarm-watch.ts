import type { Gap } from "../domain/manifest.ts";
import { BackupError } from "../domain/errors.ts";
import type { BrokerDirectory } from "../ports/broker-directory.ts";
import type { QueueCursor } from "../ports/queue-reader.ts";

const LOOK_EVERY_MS = 5000;

/**
 * Looks for memory and disk alarms while queues are read; at the first, all readings stop, and what is held goes back. Runs until
 * aborted. A look that fails is tried again at the next turn: the readings themselves notice a broker that is gone.
 */
export async function watchAlarms(
  directory: Pick<BrokerDirectory, "alarms">,
  reading: ReadonlySet<QueueCursor>,
  onAlarm: (gap: Gap) => void,
  clock: { sleep(ms: number, signal: AbortSignal): Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(LOOK_EVERY_MS, signal);
      const [alarm] = await directory.alarms({ signal });
      if (!alarm) continue;
      const message = `the broker raised a ${alarm.resource} alarm on ${alarm.node}`;
      const gap: Gap = { code: "BROKER_ALARM", message, messages: null };
      onAlarm(gap);
      for (const cursor of reading) cursor.stop(gap);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof BackupError)) throw error;
    }
  }
}
