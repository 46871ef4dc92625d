import type { ConfirmChannel } from "amqplib";
import { BackupError } from "../../domain/errors.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { AlarmWatch } from "./alarm-watch.ts";
import type { AmqpConnection } from "./connection.ts";
import { ConfirmWindow } from "./confirm-window.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { channelError, lostWhilePublishing, nackError, returnError } from "./publish-errors.ts";
import { framedBytes, largestProperties, PublishFrames, type PublishedMessage } from "./publish-frames.ts";
import { channelNumber } from "./raw-connection.ts";
import { skipReturnedProperties } from "./returned-properties.ts";

export interface PublishLimits {
  /** Unconfirmed at most. */
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Small messages are joined up to this size before they go to the socket. */
  readonly chunkBytes: number;
  /** Publishers may be blocked by an alarm so long. */
  readonly alarmMs: number;
  /** Without any confirm for so long, and without an alarm, the queue is taken for stuck. */
  readonly silenceMs: number;
}

export interface PublisherOptions {
  readonly limits: PublishLimits;
  /** For error messages, e.g. "queue orders in virtual host /". */
  readonly destination: string;
  readonly alarm: AlarmWatch;
}

/**
 * Publishes raw messages in order on one channel in confirm mode, around amqplib's encoder: frames are built here, so that every
 * property byte goes out as it is. The connection should carry nothing else that minds waiting.
 */
export class ConfirmPublisher {
  readonly #connection: AmqpConnection;
  readonly #channel: ConfirmChannel;
  readonly #number: number;
  readonly #frameMax: number;
  readonly #limits: PublishLimits;
  readonly #destination: string;
  readonly #alarm: AlarmWatch;
  readonly #window: ConfirmWindow;
  readonly #frames: PublishFrames;
  readonly #latency = new LatencyHistogram();
  #failure: Error | null = null;
  #writable = true;
  #wake: (() => void) | null = null;

  static async open(connection: AmqpConnection, options: PublisherOptions): Promise<ConfirmPublisher> {
    skipReturnedProperties(connection.raw);
    const channel = await connection.openConfirmChannel();
    return new ConfirmPublisher(connection, channel, options);
  }

  private constructor(connection: AmqpConnection, channel: ConfirmChannel, options: PublisherOptions) {
    this.#connection = connection;
    this.#channel = channel;
    this.#number = channelNumber(channel);
    this.#frameMax = connection.raw.frameMax;
    this.#limits = options.limits;
    this.#destination = options.destination;
    this.#alarm = options.alarm;
    this.#window = new ConfirmWindow(options.limits.windowMessages);
    this.#frames = new PublishFrames(this.#number, this.#frameMax, options.limits.chunkBytes);
    this.#listen();
  }

  get confirmed(): number {
    return this.#window.confirmed;
  }

  get inFlight(): number {
    return this.#window.inFlight;
  }

  get confirmLatency(): { readonly p50: number; readonly p99: number } | null {
    const p50 = this.#latency.percentile(0.5);
    const p99 = this.#latency.percentile(0.99);
    return p50 === null || p99 === null ? null : { p50, p99 };
  }

  /** Resolves when everything is handed to the socket and the window has room. Bodies are in use until they are confirmed. */
  async publish(messages: Iterable<PublishedMessage>, options: Abortable = {}): Promise<void> {
    const { signal } = options;
    this.#check(signal);
    for (const message of messages) {
      const bytes = framedBytes(message, this.#frameMax);
      if (message.properties.length > largestProperties(this.#frameMax))
        throw this.#fail(this.#tooLarge(message));
      if (!this.#hasRoom(bytes)) {
        this.#write();
        await this.#until(() => this.#roomy(bytes), signal);
      }
      this.#window.add(bytes);
      this.#frames.append(message);
      if (this.#frames.bytes < this.#limits.chunkBytes) continue;
      this.#write();
      await this.#until(() => this.#writable, signal);
    }
    this.#write();
    await this.#until(() => this.#writable, signal);
  }

  /** Resolves when every message is confirmed. */
  async flush(options: Abortable = {}): Promise<void> {
    await this.#until(() => this.#window.inFlight === 0, options.signal);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#failure ??= new BackupError("INTERNAL", "the publisher is closed");
  }

  /**
   * Straight to the socket, not by amqplib's queue for the channel: that takes one buffer per write, and a heartbeat could come
   * between the pieces of a frame. Here all are written in one go. Nothing else is sent on this channel once it is open.
   */
  #write(): void {
    if (this.#frames.bytes === 0) return;
    const pieces = this.#frames.take();
    const { raw } = this.#connection;
    if (this.#failure || !raw.channels[this.#number]) return;
    raw.sentSinceLastCheck = true;
    raw.stream.cork();
    for (const { bytes, written } of pieces) this.#writable = raw.stream.write(bytes, written);
    raw.stream.uncork();
    this.#window.mark(performance.now());
  }

  #hasRoom(bytes: number): boolean {
    const { windowMessages, windowBytes } = this.#limits;
    const { inFlight, inFlightBytes } = this.#window;
    return inFlight === 0 || (inFlight < windowMessages && inFlightBytes + bytes <= windowBytes);
  }

  /** Some more than room for one: otherwise each confirm would set off a tiny write. */
  #roomy(bytes: number): boolean {
    const { windowMessages, windowBytes, chunkBytes } = this.#limits;
    const { inFlight, inFlightBytes } = this.#window;
    const spare = Math.min(windowBytes / 4, Math.max(bytes, chunkBytes));
    return (
      inFlight === 0 ||
      (inFlight <= windowMessages * 0.75 && inFlightBytes + spare <= windowBytes && this.#hasRoom(bytes))
    );
  }

  #tooLarge(message: PublishedMessage): BackupError {
    const text = `message ${this.#window.sent + 1} for ${this.#destination} has ${message.properties.length} bytes of properties`;
    return new BackupError(
      "PUBLISH_REFUSED",
      `${text}, more than fit into a frame of ${this.#frameMax} bytes`,
      {
        hint: "Raise frame_max in the broker's configuration; AMQP 0-9-1 cannot split properties over frames.",
      },
    );
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
  }

  async #until(condition: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    this.#check(signal);
    if (!this.#alarm.blocked && condition()) return;
    const wake = (): void => this.#wake?.();
    signal?.addEventListener("abort", wake);
    const silence = setTimeout(() => {
      if (this.#alarm.blocked) silence.refresh();
      else this.#fail(this.#silent());
    }, this.#limits.silenceMs);
    try {
      while (this.#alarm.blocked || !condition()) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#check(signal);
        silence.refresh();
      }
    } finally {
      this.#wake = null;
      clearTimeout(silence);
      signal?.removeEventListener("abort", wake);
    }
  }

  #silent(): BackupError {
    const seconds = Math.round(this.#limits.silenceMs / 1000);
    return new BackupError(
      "PUBLISH_REFUSED",
      `${this.#destination} has not confirmed a message for ${seconds} s`,
      {
        hint: "Look at the queue at the broker: a quorum queue or stream without a majority of its members takes nothing.",
      },
    );
  }

  #fail(error: Error): Error {
    this.#failure ??= error;
    this.#wake?.();
    return this.#failure;
  }

  #listen(): void {
    const channel = this.#channel;
    // amqplib keeps a callback for every message; the window does this with a byte a message.
    channel.removeAllListeners("ack");
    channel.removeAllListeners("nack");
    channel.on("ack", ({ deliveryTag, multiple }) => this.#settle(deliveryTag, multiple));
    channel.on("nack", ({ deliveryTag, multiple }) => {
      this.#window.settle(deliveryTag, multiple, true);
      this.#fail(nackError(this.#destination, this.#window.confirmed + 1));
    });
    channel.on("return", ({ fields }) => {
      // Comes before the confirm of the same message, which must not be counted.
      this.#window.refuse(this.#window.confirmed + 1);
      this.#fail(returnError(this.#destination, fields));
    });
    this.#connection.raw.stream.on("drain", () => {
      this.#writable = true;
      this.#wake?.();
    });
    channel.on("error", (error: unknown) => this.#fail(channelError(this.#destination, error)));
    channel.on("close", () => {
      // A connection that ends tells why after its channels have ended.
      setImmediate(() => {
        if (!this.#connection.lost) this.#fail(channelError(this.#destination, null));
      });
    });
    this.#connection.onLost((lost) =>
      this.#fail(lostWhilePublishing(this.#destination, lost, this.#window.confirmed + 1)),
    );
    this.#alarm.onChange(() => {
      if (this.#alarm.expired) this.#fail(this.#alarm.expired);
      this.#wake?.();
    });
  }

  #settle(tag: number, multiple: boolean): void {
    this.#window.settle(tag, multiple, false);
    const now = performance.now();
    for (const sentAt of this.#window.takeMarks()) this.#latency.add(now - sentAt);
    this.#wake?.();
  }
}
