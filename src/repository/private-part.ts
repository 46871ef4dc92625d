import { Buffer } from "node:buffer";
import { z } from "zod";
import type { Manifest, VolumeEntry } from "../domain/manifest.ts";
import { hiddenNamesSchema, namesIn, withNames, withoutNames, type HiddenNames } from "./hidden-names.ts";
import { ENCRYPTED } from "./volume.ts";

/** What of a manifest only those may read who may read the messages. */
export interface PrivatePart {
  /** The plain files: volumes, then the index. */
  readonly files: readonly Pick<VolumeEntry, "bytes" | "sha256">[];
  /** Checksums, as are those of queues. */
  readonly definitions: readonly string[];
  readonly queues: readonly { readonly segments: readonly string[]; readonly index: readonly string[] }[];
  /** null: they are public. */
  readonly names: HiddenNames | null;
}

const sums = z.array(z.string());
const schema: z.ZodType<PrivatePart> = z.object({
  files: z.array(z.object({ bytes: z.int(), sha256: z.string() })),
  definitions: sums,
  queues: z.array(z.object({ segments: sums, index: sums })),
  names: hiddenNamesSchema.nullable(),
});

/** In place of a checksum, which would tell who guesses what is stored that he is right. */
const NO_SUM = "0".repeat(64);

export function encodePrivatePart(part: PrivatePart): Uint8Array {
  return Buffer.from(JSON.stringify(part), "utf8");
}

/** null: these are no such bytes. */
export function decodePrivatePart(bytes: Uint8Array): PrivatePart | null {
  try {
    const parsed = schema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Both of a manifest whose files are the plain ones. */
export function partsOf(
  plain: Manifest,
  namesHidden: boolean,
): { readonly shown: Manifest; readonly part: PrivatePart } {
  const { volumes, index, definitions, queues } = plain;
  const shown = namesHidden ? withoutNames(plain) : plain;
  return {
    shown: {
      ...shown,
      definitions: shown.definitions.map(withoutSum),
      queues: shown.queues.map((queue) => ({
        ...queue,
        segments: queue.segments.map(withoutSum),
        index: queue.index.map(withoutSum),
      })),
    },
    part: {
      files: [...volumes, index].map(({ bytes, sha256 }) => ({ bytes, sha256 })),
      definitions: definitions.map(sumOf),
      queues: queues.map((queue) => ({ segments: queue.segments.map(sumOf), index: queue.index.map(sumOf) })),
      names: namesHidden ? namesIn(plain) : null,
    },
  };
}

/** The whole again, with the plain files. null: the parts are not of one manifest. */
export function joinParts(shown: Manifest, part: PrivatePart): Manifest | null {
  const { volumes, index, definitions, queues } = shown;
  const lengths =
    part.files.length === volumes.length + 1 &&
    part.definitions.length === definitions.length &&
    part.queues.length === queues.length;
  if (!lengths) return null;
  const plainFile = ({ name }: VolumeEntry, at: number): VolumeEntry => ({
    name: name.slice(0, -ENCRYPTED.length),
    bytes: part.files[at]?.bytes ?? 0,
    sha256: part.files[at]?.sha256 ?? "",
  });
  const joined: Manifest = {
    ...shown,
    definitions: definitions.map(withSum(part.definitions)),
    queues: queues.map((queue, at) => ({
      ...queue,
      segments: queue.segments.map(withSum(part.queues[at]?.segments)),
      index: queue.index.map(withSum(part.queues[at]?.index)),
    })),
    volumes: volumes.map(plainFile),
    index: plainFile(index, volumes.length),
  };
  return part.names === null ? joined : withNames(joined, part.names);
}

interface Summed {
  readonly sha256: string;
}

function sumOf({ sha256 }: Summed): string {
  return sha256;
}

function withoutSum<T extends Summed>(entry: T): T {
  return { ...entry, sha256: NO_SUM };
}

/** Where there is none for an entry the manifest is not valid. */
function withSum(of: readonly string[] = []): <T extends Summed>(entry: T, at: number) => T {
  return (entry, at) => ({ ...entry, sha256: of[at] ?? "" });
}
