import { Content, type ContentEntry } from "../domain/content.ts";

/**
 * The plaintext inside a sealed version: its entries, one after the other, in the order in which they were sent.
 *
 *     kind (1 byte: 0 text, 1 binary) | key length (1) | value length (4, big-endian) | key (ASCII) | value
 *
 * The sealed form's header versions this format too.
 */
const HEADER = 6;
const KINDS = ["text", "binary"] as const;

/** The bytes of a content. */
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
 * The content of bytes that {@link encodeContent} made; the values are views into them. Throws a RangeError on bytes
 * that are cut short, which the seal's tag rules out.
 */
export function decodeContent(bytes: Buffer): Content {
  const entries: ContentEntry[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const kind = KINDS[bytes.readUInt8(offset)];
    const keyEnd = offset + HEADER + bytes.readUInt8(offset + 1);
    const end = keyEnd + bytes.readUInt32BE(offset + 2);
    if (kind === undefined || end > bytes.length) throw new RangeError("the content's entries do not add up");
    entries.push({ kind, key: bytes.toString("latin1", offset + HEADER, keyEnd), value: bytes.subarray(keyEnd, end) });
    offset = end;
  }
  return Content.unchecked(entries);
}
