import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { viewProperties } from "../../../src/domain/property-view.ts";
import { anyField, anyProperties, encodeProperties, header, longstr } from "./wire-values.ts";
import type { Field, Header, Properties } from "./wire-values.ts";

/** What the view of a field should be, from the protocol's meaning of the field rather than from its bytes. */
function fieldView(field: Field): { type: string; value: unknown } {
  switch (field.tag) {
    case "V":
      return { type: "void", value: null };
    case "t":
      return { type: "bool", value: field.value };
    case "b":
    case "B":
    case "s":
    case "u":
    case "I":
    case "i":
      return {
        type: { b: "int8", B: "uint8", s: "int16", u: "uint16", I: "int32", i: "uint32" }[field.tag],
        value: field.value,
      };
    case "l":
    case "L":
    case "T":
      return { type: { l: "int64", L: "uint64", T: "timestamp" }[field.tag], value: integer(field.value) };
    case "f":
    case "d":
      return { type: field.tag === "f" ? "float" : "double", value: real(field.value) };
    case "D":
      return { type: "decimal", value: { digits: field.digits, scale: field.scale } };
    case "S":
      return { type: "string", value: text(field.value) };
    case "x":
      return { type: "bytes", value: { base64: field.value.toString("base64") } };
    case "A":
      return { type: "array", value: field.value.map(fieldView) };
    case "F":
      return { type: "table", value: field.value.map(headerView) };
  }
}

function headerView({ key, field }: Header) {
  return { name: text(key), ...fieldView(field) };
}

function integer(value: bigint): number | string {
  return value > 2n ** 53n - 1n || value < -(2n ** 53n - 1n) ? `${value}` : Number(value);
}

function real(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : `${value}`;
}

function text(bytes: Buffer): string | { base64: string } {
  const decoded = bytes.toString("utf8");
  return Buffer.from(decoded).equals(bytes) ? decoded : { base64: bytes.toString("base64") };
}

function propertiesView(properties: Properties): Record<string, unknown> {
  const view: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties)) {
    if (Buffer.isBuffer(value)) view[name] = text(value);
    else if (Array.isArray(value)) view[name] = value.map(headerView);
    else view[name] = typeof value === "bigint" ? integer(value) : value;
  }
  return view;
}

describe("viewProperties", () => {
  it("shows every property and header with its wire type", () => {
    fc.assert(
      fc.property(anyProperties, (properties) => {
        expect(viewProperties(encodeProperties(properties))).toEqual(propertiesView(properties));
      }),
    );
  });

  it.each<[Field, number | string]>([
    [{ tag: "d", value: Number.NaN }, "NaN"],
    [{ tag: "d", value: Number.POSITIVE_INFINITY }, "Infinity"],
    [{ tag: "f", value: Number.NEGATIVE_INFINITY }, "-Infinity"],
    [{ tag: "d", value: -0 }, "-0"],
    [{ tag: "d", value: 0 }, 0],
    [{ tag: "l", value: 2n ** 53n - 1n }, 9007199254740991],
    [{ tag: "l", value: 2n ** 53n + 1n }, "9007199254740993"],
    [{ tag: "l", value: -(2n ** 63n) }, "-9223372036854775808"],
    [{ tag: "L", value: 2n ** 64n - 1n }, "18446744073709551615"],
    [{ tag: "T", value: 1_790_000_000n }, 1_790_000_000],
  ])("shows %o exactly", (field, value) => {
    expect(viewProperties(encodeProperties({ headers: [header("n", field)] }))).toEqual({
      headers: [{ name: "n", ...fieldView(field), value }],
    });
  });

  it("survives JSON unchanged", () => {
    fc.assert(
      fc.property(anyField, (field) => {
        const view = viewProperties(encodeProperties({ headers: [header("h", field)] }));
        expect(JSON.parse(JSON.stringify(view))).toEqual(view);
      }),
    );
  });

  it("keeps duplicate, empty and dangerous keys, in their order", () => {
    const headers = ["b", "__proto__", "10", "b", "", "9"].map((key) => header(key, longstr("v")));
    const view = viewProperties(encodeProperties({ headers }));
    const names = Array.isArray(view.headers) ? view.headers.map(({ name }: { name: unknown }) => name) : [];
    expect(names).toEqual(["b", "__proto__", "10", "b", "", "9"]);
  });

  it("shows an empty section and an empty table", () => {
    expect(viewProperties(Uint8Array.of(0, 0))).toEqual({});
    expect(viewProperties(encodeProperties({ headers: [] }))).toEqual({ headers: [] });
  });

  it("shows a table it cannot parse as bytes, and the rest", () => {
    const section = Buffer.of(0x30, 0, 0, 0, 0, 4, 1, 0x61, 0x3f, 0, 2);
    expect(viewProperties(section)).toEqual({ headers: { hex: "0000000401613f00" }, deliveryMode: 2 });
  });

  it("shows nested values it cannot parse as bytes, and their neighbours", () => {
    const broken = Buffer.from(
      "\u0001aF\u0000\u0000\u0000\u0003\u0001kI\u0001bA\u0000\u0000\u0000\u0001?\u0001ct\u0001",
      "latin1",
    );
    const section = Buffer.concat([Buffer.of(0x20, 0, 0, 0, 0, broken.length), broken]);
    expect(viewProperties(section)).toEqual({
      headers: [
        { name: "a", type: "undecodable", value: { hex: "4600000003016b49" } },
        { name: "b", type: "undecodable", value: { hex: "41000000013f" } },
        { name: "c", type: "bool", value: true },
      ],
    });
  });

  it("shows what it cannot place as bytes", () => {
    expect(viewProperties(Buffer.of(0xb0, 0, 1, 0x61, 0, 0, 0, 9, 1))).toEqual({
      contentType: "a",
      undecoded: { hex: "0000000901" },
    });
    expect(viewProperties(Buffer.of(0x10, 1, 0x80, 0, 2, 7, 7))).toEqual({
      deliveryMode: 2,
      undecoded: { hex: "0707" },
    });
    expect(viewProperties(Buffer.of(0x10))).toEqual({ undecoded: { hex: "10" } });
    expect(viewProperties(Buffer.of(0, 0x40, 1, 2))).toEqual({ undecoded: { hex: "0102" } });
  });

  it("does not follow tables into any depth", () => {
    const levels = 50_000;
    const entry = Buffer.alloc(2 + levels * 5);
    entry.write("\u0001h", "latin1");
    for (let level = 0; level < levels; level++) {
      entry.write("A", 2 + level * 5);
      entry.writeUInt32BE((levels - level - 1) * 5, 3 + level * 5);
    }
    const section = Buffer.concat([Buffer.of(0x20, 0), Buffer.alloc(4), entry]);
    section.writeUInt32BE(entry.length, 2);
    const view = JSON.stringify(viewProperties(section));
    expect(view).toContain('"undecodable"');
    expect(view.match(/"array"/g)).toHaveLength(32);
  });

  it("never throws, whatever the bytes", () => {
    const tags = fc.constantFrom(...Buffer.from("tbBsuIilLfdDSATFVx?\u0000\u0001\u0004", "latin1"));
    fc.assert(
      fc.property(fc.array(fc.oneof(tags, fc.nat(255)), { maxLength: 80 }), (bytes) => {
        expect(JSON.stringify(viewProperties(Uint8Array.from(bytes)))).toMatch(/^\{/);
      }),
      { numRuns: 1000 },
    );
  });
});
