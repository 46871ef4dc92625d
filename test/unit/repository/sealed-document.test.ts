import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeDocument, encodeDocument } from "../../../src/repository/sealed-document.ts";

const content = fc.dictionary(fc.string(), fc.jsonValue()).map((members) => ({ format: 1, ...members }));

test("what was sealed is what is read", () => {
  fc.assert(
    fc.property(content, (members) => {
      const decoded = decodeDocument(encodeDocument(members), "document");
      const { sha256, ...rest } = decoded;
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(rest).toEqual(JSON.parse(JSON.stringify(members)));
      // Sealing what was read gives the same bytes again.
      expect(encodeDocument(decoded)).toEqual(encodeDocument(members));
    }),
  );
});

test("the sum is of all lines but the last two", () => {
  const text = Buffer.from(encodeDocument({ format: 1, id: "x" })).toString();
  const lines = text.split("\n");
  expect(lines.at(-1)).toBe("");
  const head = `${lines.slice(0, -3).join("\n")}\n`;
  expect(lines.at(-3)).toBe(`  "sha256": "${createHash("sha256").update(head).digest("hex")}"`);
});

test("every damaged byte, lost byte and added byte is found", () => {
  const bytes = encodeDocument({ format: 1, id: "grüße", more: [1, 2, { a: null }] });
  for (let at = 0; at < bytes.length; at += 1) {
    for (const flip of [0x01, 0x20, 0x80, 0xff]) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      expect(() => decodeDocument(damaged, "document"), `byte ${at}`).toThrow(
        expect.objectContaining({ code: "MANIFEST_DAMAGED", message: expect.stringContaining("document") }),
      );
    }
    const cut = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    expect(() => decodeDocument(cut, "document")).toThrow(
      expect.objectContaining({ code: "MANIFEST_DAMAGED" }),
    );
    expect(() => decodeDocument(bytes.subarray(0, at), "document")).toThrow(
      expect.objectContaining({ code: "MANIFEST_DAMAGED" }),
    );
  }
  expect(() => decodeDocument(Buffer.concat([bytes, Buffer.from("\n")]), "document")).toThrow(
    expect.objectContaining({ code: "MANIFEST_DAMAGED" }),
  );
});

test("a newer format is refused by number, however it is sealed", () => {
  const newer = {
    code: "FORMAT_NEWER",
    message: "x/manifest.json has format 7, this version of mqbackup knows formats up to 1",
  };
  const other = Buffer.from('{"format":7,"sealed":"otherwise"}');
  for (const bytes of [encodeDocument({ format: 7 }), other]) {
    expect(() => decodeDocument(bytes, "x/manifest.json")).toThrow(expect.objectContaining(newer));
  }
});

test("what is not a document", () => {
  for (const text of ["", "{}", "[]", "null", '{"format":1}', "not JSON", "\0\0\0"]) {
    expect(() => decodeDocument(Buffer.from(text), "document")).toThrow(
      expect.objectContaining({ code: "MANIFEST_DAMAGED" }),
    );
  }
  const sum = createHash("sha256").update("[\n").digest("hex");
  expect(() => decodeDocument(Buffer.from(`[\n  "sha256": "${sum}"\n}\n`), "document")).toThrow(
    expect.objectContaining({
      code: "MANIFEST_DAMAGED",
      message: "document is damaged: it is not a JSON object",
    }),
  );
});
