/**
 * How deep a verification looks. quick: manifests, sizes of files, references. checksums: and every stored byte. records: and every
 * message. sample: what quick looks at, and a random part of the segments to the last message.
 */
export type VerifyLevel =
  | { readonly kind: "quick" }
  | { readonly kind: "checksums" }
  | { readonly kind: "records" }
  /** `part`: above 0, at most 1. */
  | { readonly kind: "sample"; readonly part: number };
