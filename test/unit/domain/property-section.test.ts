import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEATH_HEADERS } from "../../../src/domain/death-origin.ts";
import {
  canonicalSection,
  hasHeader,
  stripAnnotations,
  withoutHeadersNamed,
  withoutProperties,
} from "../../../src/domain/property-section.ts";
import {
  ANNOTATIONS,
  anyHeader,
  anyHeaders,
  anyProperties,
  encodeHeader,
  encodeProperties,
  encodeTable,
  header,
  long,
  longstr,
  otherProperties,
} from "./wire-values.ts";
import type { Field, Header } from "./wire-values.ts";

const NONE = { deliveryCount: null, acquiredCount: null, streamOffset: null };

/** Bytes that begin like a section with headers but go wrong in one way each. */
const BROKEN: readonly (readonly [string, Buffer])[] = [
  ["nothing at all", Buffer.alloc(0)],
  ["half a word of flags", Buffer.of(0x20)],
  ["no word of flags after a continuation", Buffer.of(0x20, 0x01, 0x00)],
  ["no content type", Buffer.of(0xa0, 0)],
  ["a content type past the end", Buffer.of(0xa0, 0, 5, 1)],
  ["no content encoding", Buffer.of(0x60, 0)],
  ["no header table", Buffer.of(0x20, 0)],
  ["half a table length", Buffer.of(0x20, 0, 0, 0, 0)],
  ["a table past the end", Buffer.of(0x20, 0, 0xff, 0xff, 0xff, 0xff, 1)],
  ["a key past the table", withTable(Buffer.of(9, 0x61))],
  ["a key without a value", withTable(Buffer.of(1, 0x61))],
  ["an unknown type tag", withTable(Buffer.of(1, 0x61, 0x3f, 0))],
  ["an integer past the table", withTable(Buffer.of(1, 0x61, 0x49, 0, 0, 0))],
  ["a string past the table", withTable(Buffer.of(1, 0x61, 0x53, 0, 0, 0, 9, 0x61))],
  ["half a string length", withTable(Buffer.of(1, 0x61, 0x53, 0, 0))],
  [
    "an annotation, then an unknown type tag",
    withTable(Buffer.concat([encodeHeader(header("x-delivery-count", long(1))), Buffer.of(1, 0x61, 0x3f)])),
  ],
];

function withTable(entries: Buffer): Buffer {
  const table = Buffer.alloc(4);
  table.writeUInt32BE(entries.length);
  return Buffer.concat([Buffer.of(0x20, 0), table, entries]);
}

function shuffled<T>(items: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...items], { minLength: items.length });
}

describe("stripAnnotations", () => {
  it("gives the very section back when nothing is to be removed", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const section = encodeProperties(properties);
        const before = Buffer.from(section);
        const stripped = stripAnnotations(section);
        expect(stripped.properties).toBe(section);
        expect(stripped).toEqual({ properties: before, ...NONE });
      }),
    );
  });

  it("removes exactly the annotations' bytes, wherever they are in the table", () => {
    const annotation = fc.record({
      key: fc.constantFrom(...ANNOTATIONS).map((name) => Buffer.from(name)),
      field: anyHeader.map(({ field }) => field),
    });
    const input = fc.tuple(
      otherProperties,
      anyHeaders,
      fc.array(annotation, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat()),
    );
    fc.assert(
      fc.property(input, ([others, own, added, places]) => {
        const headers: Header[] = [...own];
        for (const one of added) headers.splice((places.next().value ?? 0) % (headers.length + 1), 0, one);
        const section = encodeProperties({ ...others, headers });
        const before = Buffer.from(section);
        const wanted = encodeProperties(own.length > 0 ? { ...others, headers: own } : others);
        expect(Buffer.from(stripAnnotations(section).properties)).toEqual(wanted);
        expect(section).toEqual(before);
      }),
    );
  });

  it.each<[string, Field, number | null]>([
    ["int8", { tag: "b", value: 7 }, 7],
    ["negative int8", { tag: "b", value: -7 }, null],
    ["uint8", { tag: "B", value: 200 }, 200],
    ["int16", { tag: "s", value: 0x7ffe }, 0x7ffe],
    ["negative int16", { tag: "s", value: -2 }, null],
    ["uint16", { tag: "u", value: 0xfffe }, 0xfffe],
    ["int32", { tag: "I", value: 0x7ffffffe }, 0x7ffffffe],
    ["negative int32", { tag: "I", value: -1 }, null],
    ["uint32", { tag: "i", value: 0xfffffffe }, 0xfffffffe],
    ["int64", long(20_000_000_000), 20_000_000_000],
    ["the greatest exact int64", long(2n ** 53n - 1n), 2 ** 53 - 1],
    ["an int64 beyond", long(2n ** 53n), null],
    ["negative int64", long(-1), null],
    ["uint64", { tag: "L", value: 2n ** 33n + 1n }, 2 ** 33 + 1],
    ["zero", long(0), 0],
    ["a string", longstr("3"), null],
    ["a boolean", { tag: "t", value: true }, null],
  ])("tells a count of type %s", (_type, field, value) => {
    const section = encodeProperties({
      headers: [header("a", longstr("b")), header("x-delivery-count", field)],
    });
    const stripped = stripAnnotations(section);
    expect(stripped).toMatchObject({ ...NONE, deliveryCount: value });
    expect(Buffer.from(stripped.properties)).toEqual(
      encodeProperties({ headers: [header("a", longstr("b"))] }),
    );
  });

  it("tells the three apart, and the greatest of one that is there twice", () => {
    const section = encodeProperties({
      headers: [
        header("x-delivery-count", long(2)),
        header("x-acquired-count", long(5)),
        header("x-delivery-count", long(9)),
        header("x-delivery-count", long(3)),
        header("x-stream-offset", long(8224)),
        header("x-stream-offset", longstr("none")),
      ],
    });
    expect(stripAnnotations(section)).toMatchObject({
      deliveryCount: 9,
      acquiredCount: 5,
      streamOffset: 8224,
    });
  });

  it("removes an empty header table with its flag", () => {
    const section = encodeProperties({ contentEncoding: Buffer.from("gzip"), headers: [], deliveryMode: 2 });
    const stripped = stripAnnotations(section);
    expect(stripped).toMatchObject(NONE);
    expect(Buffer.from(stripped.properties)).toEqual(
      encodeProperties({ contentEncoding: Buffer.from("gzip"), deliveryMode: 2 }),
    );
  });

  it("leaves an annotation's name alone inside other headers", () => {
    const nested: Field = { tag: "F", value: [header("x-delivery-count", long(1))] };
    const section = encodeProperties({
      headers: [header("inner", nested), header("x-death", { tag: "A", value: [nested] })],
    });
    expect(stripAnnotations(section).properties).toBe(section);
  });

  it("finds the table behind further words of flags", () => {
    const entries = encodeTable([header("x-stream-offset", long(5))]);
    const section = Buffer.concat([Buffer.of(0x30, 0x01, 0x00, 0x01, 0x00, 0x00), entries, Buffer.of(2)]);
    expect(stripAnnotations(section)).toMatchObject({ streamOffset: 5 });
    expect(Buffer.from(stripAnnotations(section).properties)).toEqual(Buffer.of(0x10, 1, 0, 1, 0, 0, 2));
  });

  it.each(BROKEN)("leaves a section with %s as it is", (_what, section) => {
    const stripped = stripAnnotations(section);
    expect(stripped.properties).toBe(section);
    expect(stripped).toMatchObject(NONE);
  });

  it("does not throw whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const section = Uint8Array.of(0x20 | (bytes[0] ?? 0), ...bytes);
        expect(stripAnnotations(section).properties.length).toBeLessThanOrEqual(section.length);
        expect(canonicalSection(section).length).toBeLessThanOrEqual(section.length);
      }),
    );
  });

  it("works on a view that begins somewhere in its memory", () => {
    const section = encodeProperties({
      headers: [header("x-acquired-count", long(4)), header("k", longstr("v"))],
    });
    const memory = Buffer.concat([Buffer.alloc(13, 0xee), section, Buffer.alloc(9, 0xee)]);
    const before = Buffer.from(memory);
    const view = new Uint8Array(memory.buffer, memory.byteOffset + 13, section.length);
    const stripped = stripAnnotations(view);
    expect(stripped.acquiredCount).toBe(4);
    expect(Buffer.from(stripped.properties)).toEqual(
      encodeProperties({ headers: [header("k", longstr("v"))] }),
    );
    expect(memory).toEqual(before);
  });
});

describe("canonicalSection", () => {
  it("is the same for every order of the headers", () => {
    const input = anyProperties.chain((properties) =>
      fc.tuple(fc.constant(properties), shuffled(properties.headers ?? [])),
    );
    fc.assert(
      fc.property(input, ([properties, headers]) => {
        const section = encodeProperties(properties);
        const reordered = encodeProperties(
          properties.headers === undefined ? properties : { ...properties, headers },
        );
        expect(Buffer.from(canonicalSection(reordered))).toEqual(Buffer.from(canonicalSection(section)));
      }),
    );
  });

  it("holds every header once and sorted, and all else untouched", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const section = encodeProperties(properties);
        const before = Buffer.from(section);
        // Keys first, then what follows them: no key's bytes can be told from a length this way.
        const headers = properties.headers?.toSorted(
          (a, b) => Buffer.compare(a.key, b.key) || Buffer.compare(encodeHeader(a), encodeHeader(b)),
        );
        const wanted = encodeProperties(headers === undefined ? properties : { ...properties, headers });
        expect(Buffer.from(canonicalSection(section))).toEqual(wanted);
        expect(section).toEqual(before);
      }),
    );
  });

  it("is the very section when that is canonical already", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const canonical = canonicalSection(encodeProperties(properties));
        expect(canonicalSection(canonical)).toBe(canonical);
      }),
    );
  });

  it("takes an empty table for none", () => {
    const section = encodeProperties({ headers: [], priority: 3 });
    expect(Buffer.from(canonicalSection(section))).toEqual(encodeProperties({ priority: 3 }));
  });

  it("keeps equal headers, sorts equal keys by their values, and a key before one it begins", () => {
    const one = header("k", { tag: "I", value: 1 });
    const two = header("k", { tag: "I", value: 2 });
    const longer = header("ka", { tag: "t", value: false });
    const section = encodeProperties({ headers: [longer, two, one, two] });
    expect(Buffer.from(canonicalSection(section))).toEqual(
      encodeProperties({ headers: [one, two, two, longer] }),
    );
  });

  it("does not look into nested tables", () => {
    const nested: Field = { tag: "F", value: [header("z", { tag: "V" }), header("a", { tag: "V" })] };
    const section = encodeProperties({ headers: [header("n", nested)] });
    expect(canonicalSection(section)).toBe(section);
  });

  it.each(BROKEN)("leaves a section with %s as it is", (_what, section) => {
    expect(canonicalSection(section)).toBe(section);
  });

  it("leaves a table as it is that is out of order, then broken", () => {
    const entries = [header("b", { tag: "V" }), header("a", { tag: "V" })].map(encodeHeader);
    const section = withTable(Buffer.concat([...entries, Buffer.of(1, 0x61, 0x3f)]));
    expect(canonicalSection(section)).toBe(section);
  });
});

describe("withoutProperties", () => {
  it("removes just what is named", () => {
    fc.assert(
      fc.property(anyProperties, fc.boolean(), fc.boolean(), (properties, expiration, userId) => {
        const section = encodeProperties(properties);
        const before = Buffer.from(section);
        const wanted = { ...properties };
        if (expiration) delete wanted.expiration;
        if (userId) delete wanted.userId;
        const kept = withoutProperties(section, { expiration, userId });
        expect(Buffer.from(kept)).toEqual(encodeProperties(wanted));
        expect(kept === section).toBe(kept.length === section.length);
        expect(section).toEqual(before);
      }),
    );
  });

  it("keeps further words of flags and what belongs to them", () => {
    const section = Buffer.concat([
      Buffer.of(0x01, 0x01, 0x80, 0x00),
      Buffer.of(1, 0x35),
      Buffer.from("more"),
    ]);
    const kept = withoutProperties(section, { expiration: true });
    expect(Buffer.from(kept)).toEqual(Buffer.concat([Buffer.of(0, 1, 0x80, 0), Buffer.from("more")]));
  });

  it.each([
    ["no flags", Buffer.alloc(0)],
    ["an expiration past the end", Buffer.of(1, 0, 9, 0x35)],
    ["a timestamp past the end", Buffer.of(0, 0x40, 1, 2, 3)],
    ["a missing delivery mode", Buffer.of(0x10, 0)],
    ["a table past the end", Buffer.of(0x20, 0, 0, 0, 0, 5)],
  ])("refuses a section with %s: what was to go might stay", (_what, section) => {
    expect(() => withoutProperties(section, { expiration: true })).toThrow(
      expect.objectContaining({ name: "BackupError", code: "ARCHIVE_DAMAGED" }),
    );
  });
});

describe("hasHeader", () => {
  it("says what an encoder put in", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const section = encodeProperties(properties);
        const there = (name: string) =>
          properties.headers?.some(({ key }) => key.equals(Buffer.from(name))) ?? false;
        for (const name of ["CC", "BCC", "", "x-death"]) expect(hasHeader(section, name)).toBe(there(name));
      }),
    );
  });

  it("looks only at whole keys at the top", () => {
    const inner: Field = { tag: "F", value: [header("CC", longstr("queue"))] };
    const section = encodeProperties({ headers: [header("BCC", longstr("a")), header("cc", inner)] });
    expect(hasHeader(section, "CC")).toBe(false);
    expect(hasHeader(section, "BCC")).toBe(true);
  });

  it("does not rule a header out where the table cannot be parsed", () => {
    expect(hasHeader(withTable(Buffer.of(1, 0x61, 0x3f, 0)), "CC")).toBe(true);
    expect(hasHeader(Buffer.of(0x20, 0, 0xff, 0xff, 0xff, 0xff), "CC")).toBe(true);
    expect(hasHeader(Buffer.of(0x80, 0, 0xff), "CC")).toBe(false);
  });
});

describe("withoutHeadersNamed", () => {
  const doomedHeader = fc
    .tuple(anyHeader, fc.constantFrom(...DEATH_HEADERS))
    .map(([{ field }, key]): Header => header(key, field));

  it("takes out these headers, whatever they hold and wherever they stand, and changes no other byte", () => {
    const kept = anyHeaders.map((headers) => headers.filter(({ key }) => !isDoomed(key)));
    const mixed = fc.tuple(kept, fc.array(doomedHeader, { minLength: 1, maxLength: 8 }));
    const placed = mixed.chain(([others, doomed]) =>
      fc.tuple(
        fc.constant(others),
        fc.array(fc.nat(others.length), { minLength: doomed.length, maxLength: doomed.length }),
        fc.constant(doomed),
      ),
    );
    fc.assert(
      fc.property(otherProperties, placed, (properties, [others, places, doomed]) => {
        const headers = others.flatMap((each, at) => [...doomed.filter((_, n) => places[n] === at), each]);
        headers.push(...doomed.filter((_, n) => places[n] === others.length));
        const section = encodeProperties({ ...properties, headers });
        const before = Buffer.from(section);
        const expected = encodeProperties(
          others.length === 0 ? properties : { ...properties, headers: others },
        );
        expect(Buffer.from(withoutHeadersNamed(section, DEATH_HEADERS))).toEqual(expected);
        expect(section).toEqual(before);
      }),
    );
  });

  it("gives the very section back when there is none of them", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        const headers = properties.headers?.filter(({ key }) => !isDoomed(key));
        const section = encodeProperties({ ...properties, ...(headers === undefined ? {} : { headers }) });
        expect(withoutHeadersNamed(section, DEATH_HEADERS)).toBe(section);
      }),
    );
    const near = [header("x-deat", long(1)), header("x-deaths", long(1)), header("X-Death", long(1))];
    const section = encodeProperties({ headers: near });
    expect(withoutHeadersNamed(section, DEATH_HEADERS)).toBe(section);
  });

  it.each(BROKEN.filter(([, section]) => section.length > 1))(
    "refuses to guess in a section with %s",
    (_, section) => {
      expect(() => withoutHeadersNamed(section, DEATH_HEADERS)).toThrow(
        expect.objectContaining({ code: "ARCHIVE_DAMAGED" }),
      );
    },
  );
});

function isDoomed(key: Buffer): boolean {
  return DEATH_HEADERS.some((name) => name === key.toString());
}
