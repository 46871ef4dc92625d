import fc from "fast-check";

/**
 * An encoder of property sections of our own, from the protocol's description alone, to try the code against: it shares nothing
 * with src.
 */
export type Field =
  | { readonly tag: "t"; readonly value: boolean }
  | { readonly tag: "b" | "B" | "s" | "u" | "I" | "i" | "f" | "d"; readonly value: number }
  | { readonly tag: "l" | "L" | "T"; readonly value: bigint }
  | { readonly tag: "D"; readonly scale: number; readonly digits: number }
  | { readonly tag: "S" | "x"; readonly value: Buffer }
  | { readonly tag: "A"; readonly value: readonly Field[] }
  | { readonly tag: "F"; readonly value: readonly Header[] }
  | { readonly tag: "V" };

export interface Header {
  readonly key: Buffer;
  readonly field: Field;
}

export interface Properties {
  readonly contentType?: Buffer;
  readonly contentEncoding?: Buffer;
  readonly headers?: readonly Header[];
  readonly deliveryMode?: number;
  readonly priority?: number;
  readonly correlationId?: Buffer;
  readonly replyTo?: Buffer;
  readonly expiration?: Buffer;
  readonly messageId?: Buffer;
  readonly timestamp?: bigint;
  readonly type?: Buffer;
  readonly userId?: Buffer;
  readonly appId?: Buffer;
  readonly clusterId?: Buffer;
}

export function header(key: string, field: Field): Header {
  return { key: Buffer.from(key), field };
}

export function longstr(text: string | Buffer): Field {
  return { tag: "S", value: Buffer.from(text) };
}

export function long(value: number | bigint): Field {
  return { tag: "l", value: BigInt(value) };
}

export function encodeProperties(properties: Properties): Buffer {
  let flags = "";
  const list: Buffer[] = [];
  const add = (encoded: Buffer | undefined) => {
    flags += encoded === undefined ? "0" : "1";
    if (encoded !== undefined) list.push(encoded);
  };
  const text = (value: Buffer | undefined) => add(value && shortstr(value));
  const octet = (value: number | undefined) => add(value === undefined ? undefined : Buffer.of(value));
  text(properties.contentType);
  text(properties.contentEncoding);
  add(properties.headers && encodeTable(properties.headers));
  octet(properties.deliveryMode);
  octet(properties.priority);
  text(properties.correlationId);
  text(properties.replyTo);
  text(properties.expiration);
  text(properties.messageId);
  add(properties.timestamp === undefined ? undefined : big(properties.timestamp));
  text(properties.type);
  text(properties.userId);
  text(properties.appId);
  text(properties.clusterId);
  const word = Buffer.alloc(2);
  word.writeUInt16BE(Number.parseInt(`${flags}00`, 2));
  return Buffer.concat([word, ...list]);
}

export function encodeTable(headers: readonly Header[]): Buffer {
  return sized(Buffer.concat(headers.map(encodeHeader)));
}

export function encodeHeader({ key, field }: Header): Buffer {
  return Buffer.concat([shortstr(key), encodeField(field)]);
}

function encodeField(field: Field): Buffer {
  return Buffer.concat([Buffer.from(field.tag), encodeValue(field)]);
}

function encodeValue(field: Field): Buffer {
  const eight = Buffer.alloc(8);
  switch (field.tag) {
    case "V":
      return Buffer.alloc(0);
    case "t":
      return Buffer.of(field.value ? 1 : 0);
    case "b":
      return eight.subarray(0, eight.writeInt8(field.value));
    case "B":
      return eight.subarray(0, eight.writeUInt8(field.value));
    case "s":
      return eight.subarray(0, eight.writeInt16BE(field.value));
    case "u":
      return eight.subarray(0, eight.writeUInt16BE(field.value));
    case "I":
      return eight.subarray(0, eight.writeInt32BE(field.value));
    case "i":
      return eight.subarray(0, eight.writeUInt32BE(field.value));
    case "f":
      return eight.subarray(0, eight.writeFloatBE(field.value));
    case "d":
      return eight.subarray(0, eight.writeDoubleBE(field.value));
    case "l":
      return eight.subarray(0, eight.writeBigInt64BE(field.value));
    case "L":
    case "T":
      return eight.subarray(0, eight.writeBigUInt64BE(field.value));
    case "D":
      eight.writeUInt8(field.scale);
      return eight.subarray(0, eight.writeUInt32BE(field.digits, 1));
    case "S":
    case "x":
      return sized(field.value);
    case "A":
      return sized(Buffer.concat(field.value.map(encodeField)));
    case "F":
      return encodeTable(field.value);
  }
}

function shortstr(text: Buffer): Buffer {
  return Buffer.concat([Buffer.of(text.length), text]);
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function big(value: bigint): Buffer {
  const eight = Buffer.alloc(8);
  eight.writeBigUInt64BE(value);
  return eight;
}

const bytes = (maxLength: number) =>
  fc.oneof(
    fc.string({ maxLength: Math.floor(maxLength / 4), unit: "grapheme" }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength }).map((array) => Buffer.from(array)),
  );

/** Any short string: often text, sometimes not UTF-8. */
export const shortText = bytes(40).map((text) => text.subarray(0, 255));

const { field } = fc.letrec<{ field: Field; header: Header }>((tie) => ({
  field: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant<Field>({ tag: "V" }),
    fc.boolean().map((value): Field => ({ tag: "t", value })),
    fc.integer({ min: -128, max: 127 }).map((value): Field => ({ tag: "b", value })),
    fc.nat(255).map((value): Field => ({ tag: "B", value })),
    fc.integer({ min: -32768, max: 32767 }).map((value): Field => ({ tag: "s", value })),
    fc.nat(65535).map((value): Field => ({ tag: "u", value })),
    fc.integer().map((value): Field => ({ tag: "I", value })),
    fc.integer({ min: 0, max: 0xffffffff }).map((value): Field => ({ tag: "i", value })),
    fc.float().map((value): Field => ({ tag: "f", value })),
    fc.double().map((value): Field => ({ tag: "d", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Field => ({ tag: "l", value })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Field => ({ tag: "L", value })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Field => ({ tag: "T", value })),
    fc
      .record({ scale: fc.nat(255), digits: fc.integer({ min: 0, max: 0xffffffff }) })
      .map((decimal): Field => ({ tag: "D", ...decimal })),
    bytes(200).map((value): Field => ({ tag: "S", value })),
    bytes(200).map((value): Field => ({ tag: "x", value })),
    fc.array(tie("field"), { maxLength: 4 }).map((value): Field => ({ tag: "A", value })),
    fc.array(tie("header"), { maxLength: 4 }).map((value): Field => ({ tag: "F", value })),
  ),
  header: fc.record({ key: shortText, field: tie("field") }),
}));

export const anyField = field;

export const ANNOTATIONS = ["x-delivery-count", "x-acquired-count", "x-stream-offset"] as const;

/** A header an application might set; never one of the broker's annotations. */
export const anyHeader: fc.Arbitrary<Header> = fc
  .record({
    key: fc.oneof(
      shortText,
      fc
        .constantFrom(
          "",
          "x-",
          "x-death",
          "X-Delivery-Count",
          "x-delivery-coun",
          "x-delivery-counts",
          "CC",
          "__proto__",
        )
        .map((key) => Buffer.from(key)),
    ),
    field,
  })
  .filter(({ key }) => !ANNOTATIONS.some((name) => key.equals(Buffer.from(name))));

export const anyHeaders = fc.array(anyHeader, { maxLength: 8 });

/** Any properties but headers. */
export const otherProperties: fc.Arbitrary<Omit<Properties, "headers">> = fc.record(
  {
    contentType: shortText,
    contentEncoding: shortText,
    deliveryMode: fc.nat(255),
    priority: fc.nat(255),
    correlationId: shortText,
    replyTo: shortText,
    expiration: shortText,
    messageId: shortText,
    timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    type: shortText,
    userId: shortText,
    appId: shortText,
    clusterId: shortText,
  },
  { requiredKeys: [] },
);

/** Any properties, perhaps with headers; never with an empty header table. */
export const anyProperties: fc.Arbitrary<Properties> = fc
  .tuple(otherProperties, fc.option(anyHeaders.filter((headers) => headers.length > 0)))
  .map(([others, headers]) => (headers === null ? others : { ...others, headers }));
