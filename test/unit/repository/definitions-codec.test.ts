import { expect, test } from "vitest";
import { decodeDefinitions, encodeDefinitions } from "../../../src/repository/definitions-codec.ts";
import { DEFINITIONS } from "../../fakes/sample-backup.ts";

test("what was written is what is read", () => {
  expect(decodeDefinitions(encodeDefinitions(DEFINITIONS), "definitions")).toEqual(DEFINITIONS);
});

test("unknown members are ignored, missing and wrong ones named", () => {
  const read = (content: unknown) => decodeDefinitions(Buffer.from(JSON.stringify(content)), "definitions");
  expect(read({ ...DEFINITIONS, future: 1 })).toEqual(DEFINITIONS);
  const damaged = (field: string) =>
    expect.objectContaining({
      code: "ARCHIVE_DAMAGED",
      message: expect.stringContaining(`definitions: ${field}`),
    });
  expect(() => read({ ...DEFINITIONS, bindings: undefined })).toThrow(damaged("bindings"));
  const [exchange] = DEFINITIONS.exchanges;
  expect(() => read({ ...DEFINITIONS, exchanges: [{ ...exchange, durable: "yes" }] })).toThrow(
    damaged("exchanges.0.durable"),
  );
});

test("what is not JSON", () => {
  for (const bytes of [Buffer.from("{"), Buffer.of(0xff, 0xfe), Buffer.alloc(0)]) {
    expect(() => decodeDefinitions(bytes, "definitions")).toThrow(
      expect.objectContaining({ code: "ARCHIVE_DAMAGED", message: "definitions is not JSON" }),
    );
  }
});
