import { type Field, expectWireType } from "./message.ts";
import { WireReader, WireType, type WireWriter, varintLength } from "./wire.ts";

/** One entry of a map: text as its UTF-8 bytes, checked. */
export interface MapEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * A map<string, string> or map<string, bytes> as a list of entries, in which "__proto__" is a key like any other.
 * A key that comes twice is kept twice, for the reader of the request to refuse: an object would keep the last.
 */
export const map = (number: number, name: string, values: "text" | "binary"): Field<readonly MapEntry[]> => ({
  number,
  name,
  type: "MESSAGE",
  wireType: WireType.bytes,
  absent: () => [],
  read: (reader, previous, actual) => {
    expectWireType(actual, WireType.bytes);
    const list = previous as MapEntry[];
    list.push(readMapEntry(new WireReader(reader.view()), values));
    return list;
  },
  write: (writer, entries) => {
    for (const entry of entries) writeMapEntry(writer, number, entry);
  },
});

// The tags of the two fields of an entry, numbered 1 and 2 (protobuf encoding, "Maps").
const KEY_TAG = 1 * 8 + WireType.bytes;
const VALUE_TAG = 2 * 8 + WireType.bytes;

const EMPTY = Buffer.alloc(0);

function readMapEntry(reader: WireReader, values: "text" | "binary"): MapEntry {
  let key = "";
  let value: Uint8Array = EMPTY;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === KEY_TAG) key = reader.string();
    else if (tag === VALUE_TAG) value = values === "text" ? reader.utf8() : Buffer.from(reader.view());
    else reader.skip(tag & 7);
  }
  return { key, value };
}

function writeMapEntry(writer: WireWriter, number: number, { key, value }: MapEntry): void {
  const keyLength = Buffer.byteLength(key);
  writer.tag(number, WireType.bytes);
  writer.varint(2 + varintLength(keyLength) + keyLength + varintLength(value.length) + value.length);
  writer.varint(KEY_TAG);
  writer.string(key);
  writer.varint(VALUE_TAG);
  writer.bytes(value);
}
