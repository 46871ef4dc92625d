import { viewProperties, type PropertiesView, type TextView } from "../../domain/property-view.ts";
import type { PlacedMessage } from "../../ports/message-filter.ts";
import { headersOf, textOfBytes, textOfView, timeOf, type CelValue } from "./cel-values.ts";

/**
 * One message as an expression sees it. Each name is worked out when it is asked for, and once. Text that is not set is "", a number
 * or time that is not set is null; `properties` holds only what is set.
 */
export class MessageVariables {
  readonly #message: PlacedMessage;
  #view: PropertiesView | null = null;
  #headers: ReadonlyMap<string, CelValue> | null = null;
  #body: string | null = null;
  #json: { readonly value: unknown } | null | undefined;

  constructor(message: PlacedMessage) {
    this.#message = message;
  }

  get vhost(): string {
    return this.#message.queue.vhost;
  }

  get queue(): string {
    return this.#message.queue.name;
  }

  get sequence(): bigint {
    return BigInt(this.#message.sequence);
  }

  get stream_offset(): bigint | null {
    const { streamOffset } = this.#message.record;
    return streamOffset === undefined ? null : BigInt(streamOffset);
  }

  get exchange(): string {
    return textOfBytes(this.#message.record.exchange);
  }

  get routing_key(): string {
    return textOfBytes(this.#message.record.routingKey);
  }

  get redelivered(): boolean {
    return this.#message.record.redelivered;
  }

  get headers(): ReadonlyMap<string, CelValue> {
    return (this.#headers ??= headersOf(this.#properties.headers));
  }

  get content_type(): string {
    return text(this.#properties.contentType);
  }

  get content_encoding(): string {
    return text(this.#properties.contentEncoding);
  }

  get delivery_mode(): bigint | null {
    return whole(this.#properties.deliveryMode);
  }

  get priority(): bigint | null {
    return whole(this.#properties.priority);
  }

  get correlation_id(): string {
    return text(this.#properties.correlationId);
  }

  get reply_to(): string {
    return text(this.#properties.replyTo);
  }

  get expiration(): string {
    return text(this.#properties.expiration);
  }

  get message_id(): string {
    return text(this.#properties.messageId);
  }

  get timestamp(): Date | bigint | null {
    const seconds = whole(this.#properties.timestamp);
    return seconds === null ? null : timeOf(seconds);
  }

  get message_type(): string {
    return text(this.#properties.type);
  }

  get user_id(): string {
    return text(this.#properties.userId);
  }

  get app_id(): string {
    return text(this.#properties.appId);
  }

  get properties(): ReadonlyMap<string, CelValue> {
    const set = this.#properties;
    const all: readonly (readonly [string, unknown, () => CelValue])[] = [
      ["content_type", set.contentType, () => this.content_type],
      ["content_encoding", set.contentEncoding, () => this.content_encoding],
      ["headers", set.headers, () => this.headers],
      ["delivery_mode", set.deliveryMode, () => this.delivery_mode],
      ["priority", set.priority, () => this.priority],
      ["correlation_id", set.correlationId, () => this.correlation_id],
      ["reply_to", set.replyTo, () => this.reply_to],
      ["expiration", set.expiration, () => this.expiration],
      ["message_id", set.messageId, () => this.message_id],
      ["timestamp", set.timestamp, () => this.timestamp],
      ["type", set.type, () => this.message_type],
      ["user_id", set.userId, () => this.user_id],
      ["app_id", set.appId, () => this.app_id],
      ["cluster_id", set.clusterId, () => text(set.clusterId)],
    ];
    return new Map(all.flatMap(([name, value, of]) => (value === undefined ? [] : [[name, of()]])));
  }

  get body(): string {
    return (this.#body ??= textOfBytes(this.#message.record.body));
  }

  get raw_body(): Uint8Array {
    return this.#message.record.body;
  }

  get body_bytes(): bigint {
    return BigInt(this.#message.record.body.length);
  }

  get is_json(): boolean {
    return this.#parsed() !== null;
  }

  /** Throws RangeError when the body is not JSON. */
  get json(): unknown {
    const parsed = this.#parsed();
    if (parsed === null) throw new RangeError("its body is not JSON");
    return parsed.value;
  }

  get #properties(): PropertiesView {
    return (this.#view ??= viewProperties(this.#message.record.properties));
  }

  #parsed(): { readonly value: unknown } | null {
    if (this.#json !== undefined) return this.#json;
    try {
      const value: unknown = JSON.parse(this.body);
      this.#json = { value };
    } catch {
      this.#json = null;
    }
    return this.#json;
  }
}

/** The type of each name; `dyn` where it differs from message to message. */
export const VARIABLE_TYPES: Readonly<Record<keyof MessageVariables, string>> = {
  vhost: "string",
  queue: "string",
  sequence: "int",
  stream_offset: "dyn",
  exchange: "string",
  routing_key: "string",
  redelivered: "bool",
  headers: "map<string, dyn>",
  properties: "map<string, dyn>",
  content_type: "string",
  content_encoding: "string",
  delivery_mode: "dyn",
  priority: "dyn",
  correlation_id: "string",
  reply_to: "string",
  expiration: "string",
  message_id: "string",
  timestamp: "dyn",
  message_type: "string",
  user_id: "string",
  app_id: "string",
  body: "string",
  raw_body: "bytes",
  body_bytes: "int",
  is_json: "bool",
  json: "dyn",
};

function text(view: TextView | undefined): string {
  return view === undefined ? "" : textOfView(view);
}

function whole(value: number | string | undefined): bigint | null {
  return value === undefined ? null : BigInt(value);
}
