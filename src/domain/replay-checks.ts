import type { Reason } from "./manifest.ts";
import type { Alike } from "./origin-tally.ts";
import { describeQueue } from "./queue.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { RestoreTarget } from "./restore-targets.ts";

/** May each message of this queue go back to where it died from? */
export function replayRefusals({ source, tally }: RestoreTarget, { accept }: RestoreRequest): Reason[] {
  const { unknown = null, copied = null } = tally ?? {};
  const which = ({ messages, first }: Alike): string =>
    `${messages === 1 ? "1 message" : `${messages} messages`} of ${describeQueue(source)} (the first has sequence ${first})`;
  return [
    ...(unknown === null
      ? []
      : [
          {
            code: "no-death",
            message: `${which(unknown)} cannot go back: no x-death header tells where from`,
            hint: `Restore those that were dead-lettered, with --where '"x-death" in headers', and the others without --to-origin.`,
          },
        ]),
    ...(copied === null || accept.has("cc")
      ? []
      : [
          {
            code: "cc",
            message: `${which(copied)} would be copied to other queues by a CC or BCC header`,
            hint: "Leave them out with --where, or accept that with --accept cc.",
          },
        ]),
  ];
}
