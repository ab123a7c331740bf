import { Content, type ContentEntry } from "../domain/content.ts";

/**
 * The plaintext of a sealed version: its entries, in the order in which they were sent. Each entry is
 *
 *     kind (1 byte: 0 text, 1 binary) | key length (1) | value length (4, big-endian) | key (ASCII) | value
 *
 * This format has no version number. The format number in the header of the sealed form covers it
 * (sealing/xchacha-sealer.ts).
 */
const HEADER = 6;
const KINDS = ["text", "binary"] as const;

/** Encodes a content. The caller must overwrite the returned bytes after use, because they contain secret values. */
export function encodeContent(content: Content): Buffer {
  const entries = content.entries();
  const bytes = Buffer.allocUnsafe(content.byteLength + entries.length * HEADER);
  let offset = 0;
  for (const { kind, key, value } of entries) {
    bytes[offset] = kind === "text" ? 0 : 1;
    bytes[offset + 1] = key.length;
    bytes.writeUInt32BE(value.length, offset + 2);
    offset += HEADER + bytes.write(key, offset + HEADER, "latin1");
    bytes.set(value, offset);
    offset += value.length;
  }
  return bytes;
}

/**
 * Decodes the bytes that {@link encodeContent} returned. The values are views into these bytes. Throws a RangeError if
 * the bytes are truncated, which the authentication tag of the sealed form rules out.
 */
export function decodeContent(bytes: Buffer): Content {
  const entries: ContentEntry[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const kind = KINDS[bytes.readUInt8(offset)];
    const keyEnd = offset + HEADER + bytes.readUInt8(offset + 1);
    const end = keyEnd + bytes.readUInt32BE(offset + 2);
    if (kind === undefined || end > bytes.length) throw new RangeError("an entry has an unknown kind or is truncated");
    entries.push({ kind, key: bytes.toString("latin1", offset + HEADER, keyEnd), value: bytes.subarray(keyEnd, end) });
    offset = end;
  }
  return Content.unchecked(entries);
}

/** The size of the keys and values of an encoded content, in bytes. */
export function contentBytes(encoded: Buffer): number {
  let headers = 0;
  for (let offset = 0; offset < encoded.length; headers += HEADER) {
    offset += HEADER + encoded.readUInt8(offset + 1) + encoded.readUInt32BE(offset + 2);
  }
  return encoded.length - headers;
}

/** The encoded entries, each with its header, in the order of their keys. They are views into the bytes. */
export function entriesByKey(bytes: Buffer): Buffer[] {
  const entries: { readonly key: string; readonly entry: Buffer }[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const keyEnd = offset + HEADER + bytes.readUInt8(offset + 1);
    const end = keyEnd + bytes.readUInt32BE(offset + 2);
    entries.push({ key: bytes.toString("latin1", offset + HEADER, keyEnd), entry: bytes.subarray(offset, end) });
    offset = end;
  }
  if (entries.length > 1) entries.sort((left, right) => (left.key < right.key ? -1 : 1));
  return entries.map(({ entry }) => entry);
}
