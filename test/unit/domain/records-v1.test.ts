import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canonicalSection, stripAnnotations } from "../../../src/domain/property-section.ts";
import { viewProperties } from "../../../src/domain/property-view.ts";
import {
  fingerprintInputs,
  readRecords,
  recordBytes,
  writeRecord,
  writeSegmentHeader,
} from "../../../src/domain/record.ts";
import { encodeProperties } from "./wire-values.ts";
import type { MessageRecord } from "../../../src/domain/message.ts";
import type { Field, Header, Properties } from "./wire-values.ts";

// The vectors were made by a program in another language, from the protocol and RECORD.md alone.

type Bytes = string | { readonly hex: string };

interface FieldVector {
  readonly tag: Field["tag"];
  readonly value?: unknown;
}

interface Vector {
  readonly name: string;
  readonly redelivered: boolean;
  readonly exchange: Bytes;
  readonly routingKey: Bytes;
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Instead of properties: bytes no encoder makes. */
  readonly propertySection?: string;
  readonly body: Bytes;
  readonly expected: {
    readonly delivered: string;
    readonly stripped: string;
    readonly deliveryCount: number | null;
    readonly acquiredCount: number | null;
    readonly streamOffset: number | null;
    readonly canonical: string;
    readonly record: string;
    readonly fingerprint: string;
  };
}

interface Vectors {
  readonly cases: readonly Vector[];
  readonly segment: {
    readonly header: string;
    readonly records: number;
    readonly plainBytes: number;
    readonly sha256: string;
  };
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../fixtures/records-v1.json", import.meta.url), "utf8"),
) as Vectors;

function bytesOf(value: Bytes): Buffer {
  return typeof value === "string" ? Buffer.from(value) : Buffer.from(value.hex, "hex");
}

function fieldOf({ tag, value }: FieldVector): Field {
  switch (tag) {
    case "V":
      return { tag };
    case "l":
    case "L":
    case "T":
      return { tag, value: BigInt(value as string) };
    case "f":
    case "d":
      return { tag, value: Number(value) };
    case "S":
    case "x":
      return { tag, value: bytesOf(value as Bytes) };
    case "A":
      return { tag, value: (value as FieldVector[]).map(fieldOf) };
    case "F":
      return { tag, value: headersOf(value) };
    case "D":
      return { tag, ...(value as { scale: number; digits: number }) };
    default:
      return { tag, value } as Field;
  }
}

function headersOf(value: unknown): Header[] {
  return (value as (FieldVector & { key: Bytes })[]).map((entry) => ({
    key: bytesOf(entry.key),
    field: fieldOf(entry),
  }));
}

function propertiesOf(vector: Readonly<Record<string, unknown>>): Properties {
  const properties = Object.entries(vector).map(([name, value]) => {
    if (name === "headers") return [name, headersOf(value)];
    if (name === "timestamp") return [name, BigInt(value as string)];
    return [name, typeof value === "number" ? value : bytesOf(value as Bytes)];
  });
  return Object.fromEntries(properties) as Properties;
}

function recordOf(vector: Vector): MessageRecord {
  const { properties, streamOffset } = stripAnnotations(Buffer.from(vector.expected.delivered, "hex"));
  return {
    redelivered: vector.redelivered,
    exchange: bytesOf(vector.exchange),
    routingKey: bytesOf(vector.routingKey),
    ...(streamOffset === null ? {} : { streamOffset }),
    properties,
    body: bytesOf(vector.body),
  };
}

function segmentOf(records: readonly MessageRecord[]): Buffer {
  const segment = Buffer.alloc(records.reduce((bytes, record) => bytes + recordBytes(record), 8));
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  let at = writeSegmentHeader(view);
  for (const record of records) at = writeRecord(record, segment, view, at);
  return segment;
}

function fingerprintsOf(segment: Uint8Array): string[] {
  return [...fingerprintInputs(segment)].map((pieces) =>
    createHash("sha256").update(Buffer.concat(pieces)).digest("hex").slice(0, 32),
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe.each(vectors.cases)("version 1 of $name", (vector) => {
  const { expected } = vector;
  const delivered = Buffer.from(expected.delivered, "hex");
  const segment = Buffer.from(vectors.segment.header + expected.record, "hex");

  it("has the property section the fields make", () => {
    const section =
      vector.properties === undefined
        ? vector.propertySection
        : hex(encodeProperties(propertiesOf(vector.properties)));
    expect(section).toBe(expected.delivered);
  });

  it("is stripped of annotations and brought to canonical form", () => {
    const { properties, ...counts } = stripAnnotations(delivered);
    const { deliveryCount, acquiredCount, streamOffset } = expected;
    expect(hex(properties)).toBe(expected.stripped);
    expect(counts).toEqual({ deliveryCount, acquiredCount, streamOffset });
    expect(hex(canonicalSection(properties))).toBe(expected.canonical);
  });

  it("is written as these bytes", () => {
    expect(hex(segmentOf([recordOf(vector)]))).toBe(hex(segment));
  });

  it("is read from these bytes, with this fingerprint", () => {
    const [record] = readRecords(segment, 1);
    const { properties, ...rest } = recordOf(vector);
    expect(record).toMatchObject({ redelivered: rest.redelivered });
    expect(record?.streamOffset).toBe(expected.streamOffset ?? undefined);
    expect(hex(record?.exchange ?? Buffer.of(0))).toBe(hex(rest.exchange));
    expect(hex(record?.routingKey ?? Buffer.of(0))).toBe(hex(rest.routingKey));
    expect(hex(record?.properties ?? Buffer.of(0))).toBe(hex(properties));
    expect(hex(record?.body ?? Buffer.of(0))).toBe(hex(rest.body));
    expect(fingerprintsOf(segment)).toEqual([expected.fingerprint]);
  });

  it("can be shown", () => {
    expect(JSON.stringify(viewProperties(delivered))).toMatch(/^\{.*\}$/);
  });
});

describe("a segment of version 1", () => {
  const { header, records, plainBytes, sha256 } = vectors.segment;
  const cases = vectors.cases.slice(0, records);
  const segment = Buffer.from(header + cases.map(({ expected }) => expected.record).join(""), "hex");

  it("is the header and the records back to back", () => {
    expect(segment).toHaveLength(plainBytes);
    expect(createHash("sha256").update(segment).digest("hex")).toBe(sha256);
    expect(segmentOf(cases.map(recordOf)).equals(segment)).toBe(true);
    expect([...readRecords(segment, records)]).toHaveLength(records);
    expect(fingerprintsOf(segment)).toEqual(cases.map(({ expected }) => expected.fingerprint));
  });
});
