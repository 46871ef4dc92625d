import type { DeliverySource } from "./delivery-source.ts";
import type { HeldChannel } from "./held-channel.ts";
import { writeFrames, type RawConnection } from "./raw-connection.ts";

/** Requests on their way at once; one at a time would cost a round trip a message. */
const GETS_AT_ONCE = 64;

/** basic.get without acknowledging, several on their way at once; `messages` in all. */
export function getRequests(
  held: HeldChannel,
  raw: RawConnection,
  queue: string,
  messages: number,
): DeliverySource {
  const frame = basicGet(held.number, queue);
  let requested = 0;
  return {
    slices: [],
    get capacity() {
      return requested;
    },
    get room() {
      return requested < messages;
    },
    add() {
      const count = Math.min(GETS_AT_ONCE, messages - requested);
      requested += count;
      writeFrames(raw, held.number, Buffer.concat(Array.from({ length: count }, () => frame)));
      return Promise.resolve();
    },
    cancelAll: () => Promise.resolve(),
  };
}

/** Method frame of basic.get (60, 70) with no-ack off. */
function basicGet(channel: number, queue: string): Buffer {
  const name = Buffer.from(queue);
  const payload = Buffer.concat([Buffer.from([0, 60, 0, 70, 0, 0, name.length]), name, Buffer.from([0])]);
  const frame = Buffer.alloc(7 + payload.length + 1);
  frame.writeUInt8(1, 0);
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(payload.length, 3);
  payload.copy(frame, 7);
  frame.writeUInt8(0xce, frame.length - 1);
  return frame;
}
