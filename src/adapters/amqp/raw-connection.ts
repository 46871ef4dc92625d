import type { Duplex } from "node:stream";
import { BackupError } from "../../domain/errors.ts";

/** A frame as amqplib passes it on; only the connection itself looks inside. */
export type AmqplibFrame = object | false;

/**
 * The parts of amqplib's connection that raw reading and writing touch. They are not its public interface, so amqplib's version
 * is pinned and `rawConnection` looks at each of them before it is used.
 */
export interface RawConnection {
  readonly stream: Duplex;
  /** Bytes received and not yet parsed. */
  rest: Buffer;
  /** The next frame, decoded, or false when none is complete. */
  recvFrame(): AmqplibFrame;
  readonly channels: readonly (RawChannelSlot | null)[];
  /** Bytes; the largest frame that may be sent. */
  readonly frameMax: number;
  /** Seconds; 0: none. */
  readonly heartbeat: number;
  sentSinceLastCheck: boolean;
  recvSinceLastCheck: boolean;
  readonly serverProperties: Readonly<Record<string, unknown>>;
}

interface RawChannelSlot {
  readonly buffer: Duplex;
}

/** Throws INTERNAL when the installed amqplib does not look as expected. */
export function rawConnection(model: object): RawConnection {
  const connection: unknown = Reflect.get(model, "connection");
  if (!looksRight(connection)) {
    throw new BackupError("INTERNAL", "the installed amqplib is not the version mqbackup was built for", {
      hint: "Install mqbackup again without overriding its dependencies.",
    });
  }
  return connection;
}

function looksRight(value: unknown): value is RawConnection {
  if (typeof value !== "object" || value === null) return false;
  const stream: unknown = Reflect.get(value, "stream");
  return (
    Buffer.isBuffer(Reflect.get(value, "rest")) &&
    typeof Reflect.get(value, "recvFrame") === "function" &&
    Array.isArray(Reflect.get(value, "channels")) &&
    typeof Reflect.get(value, "frameMax") === "number" &&
    typeof Reflect.get(value, "heartbeat") === "number" &&
    typeof Reflect.get(value, "sentSinceLastCheck") === "boolean" &&
    typeof Reflect.get(value, "recvSinceLastCheck") === "boolean" &&
    typeof Reflect.get(value, "serverProperties") === "object" &&
    typeof stream === "object" &&
    stream !== null &&
    typeof Reflect.get(stream, "read") === "function"
  );
}

/** The number amqplib gave a channel. */
export function channelNumber(channel: object): number {
  const number: unknown = Reflect.get(channel, "ch");
  if (typeof number !== "number") throw new BackupError("INTERNAL", "amqplib's channel has no number");
  return number;
}

/** Writes ready-made frames on a channel, behind what amqplib has queued there. False: wait for `drain` on the slot's buffer. */
export function writeFrames(raw: RawConnection, channel: number, frames: Uint8Array): boolean {
  const slot = raw.channels[channel];
  if (!slot) throw new BackupError("BROKER_LOST", "the channel is closed");
  raw.sentSinceLastCheck = true;
  return slot.buffer.write(frames);
}
