import type { FrameRange, VolumeEntry } from "../domain/manifest.ts";
import type { PlainSegment, SealedSegment } from "../ports/segment-codec.ts";
import type { SpooledFile, SpoolFile } from "../ports/spool.ts";

/**
 * The end of a tar archive, 1024 zero bytes, as one zstd frame: magic, descriptor (single segment, 2-byte content size),
 * content size 1024 - 256, one last block of type RLE and size 1024, the byte to repeat. RFC 8878, 3.1.1.
 */
export const END_OF_ARCHIVE: Uint8Array = new Uint8Array([
  0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x03, 0x03, 0x20, 0x00, 0x00,
]);

/** `data-00001.tar.zst`. `number` counts from 1. */
export function volumeName(number: number): string {
  return `data-${String(number).padStart(5, "0")}.tar.zst`;
}

/** The number in a name as `volumeName` gives it; null: it is none. */
export function volumeNumber(name: string): number | null {
  const number = Number(/^data-(\d{5,15})\.tar\.zst$/.exec(name)?.[1] ?? 0);
  return number > 0 && volumeName(number) === name ? number : null;
}

export function isVolumeName(name: string): boolean {
  return /^data-\d{5,}\.tar\.zst(\.age)?$/.test(name);
}

/** What the names of encrypted files end with. */
export const ENCRYPTED = ".age";

export const INDEX_NAME = "index.tar.zst";

export function isIndexName(name: string): boolean {
  return name === INDEX_NAME || name === `${INDEX_NAME}${ENCRYPTED}`;
}

/** A tar entry that is not records: its bytes and tar's padding in memory of their own. */
export function plainEntry(entryName: string, modifiedAt: number, bytes: Uint8Array): PlainSegment {
  const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  padded.set(bytes);
  return { entryName, modifiedAt, padded, plainBytes: bytes.length };
}

/** Appends one tar entry; gives where the frames of its body lie. Nothing else may be appended between the two. */
export async function appendEntry(file: SpoolFile, sealed: SealedSegment): Promise<FrameRange> {
  const [, body] = await Promise.all([file.append(sealed.headerFrames), file.append(sealed.frames)]);
  return body;
}

/** Closes the tar and the file. */
export async function endArchive(file: SpoolFile): Promise<SpooledFile> {
  await file.append(END_OF_ARCHIVE);
  return file.finish();
}

/** A finished file as it is stored. */
export function storedFile({ name, bytes, sha256 }: SpooledFile): VolumeEntry {
  return { name, bytes, sha256 };
}

/** The same before it was encrypted. */
export function plainFile({ plain, ...file }: SpooledFile): VolumeEntry {
  if (plain === undefined) return { name: file.name, bytes: file.bytes, sha256: file.sha256 };
  return { name: file.name.slice(0, -ENCRYPTED.length), bytes: plain.bytes, sha256: plain.sha256 };
}
