import { Buffer } from "node:buffer";
import type { MessageRecord } from "../domain/message.ts";
import { viewProperties, type PropertiesView, type TextView } from "../domain/property-view.ts";
import type { QueueAddress } from "../domain/queue.ts";

/** text: as a string when it is UTF-8, else in base64. */
export type BodyMode = "text" | "base64";

/** One message for people and JSON. */
export interface MessageView {
  readonly vhost: string;
  readonly queue: string;
  /** Place in the queue, from 0. */
  readonly sequence: number;
  readonly exchange: TextView;
  readonly routingKey: TextView;
  readonly redelivered: boolean;
  /** Of a stream only. */
  readonly streamOffset?: number;
  readonly properties: PropertiesView;
  readonly bodyBytes: number;
  /** How `body` is to be read. */
  readonly bodyEncoding: BodyMode;
  readonly body: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function viewMessage(
  { vhost, name }: QueueAddress,
  sequence: number,
  record: MessageRecord,
  mode: BodyMode,
): MessageView {
  const text = mode === "text" ? textOf(record.body) : null;
  return {
    vhost,
    queue: name,
    sequence,
    exchange: viewText(record.exchange),
    routingKey: viewText(record.routingKey),
    redelivered: record.redelivered,
    ...(record.streamOffset === undefined ? {} : { streamOffset: record.streamOffset }),
    properties: viewProperties(record.properties),
    bodyBytes: record.body.length,
    bodyEncoding: text === null ? "base64" : "text",
    body: text ?? base64(record.body),
  };
}

function viewText(bytes: Uint8Array): TextView {
  return textOf(bytes) ?? { base64: base64(bytes) };
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
