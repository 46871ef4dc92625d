const MAGIC = 0xfd2fb528;
const SINGLE_SEGMENT = 0x20;
const RESERVED = 0x08;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

/**
 * The content size a zstd frame declares in its header (RFC 8878, 3.1.1.1). null: it declares none, or does not begin like a frame.
 */
export function frameContentBytes(frame: Uint8Array): number | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 5 || view.getUint32(0, true) !== MAGIC) return null;
  const descriptor = view.getUint8(4);
  if ((descriptor & RESERVED) !== 0) return null;
  const single = (descriptor & SINGLE_SEGMENT) !== 0;
  const at = 5 + (single ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0 || at + sizeBytes > frame.length) return null;
  switch (sizeBytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
