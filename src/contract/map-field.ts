import { type Field, expectWireType } from "./message.ts";
import { TooManyElements, WireError, type WireReader, WireType } from "./wire.ts";
import { type WireWriter, varintLength } from "./wire-writer.ts";

/** One entry of a map. The value of a text map is checked UTF-8. */
export interface MapEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** One entry of a map of strings, such as a label. */
export type StringEntry = readonly [key: string, value: string];

/**
 * A map<string, string> or map<string, bytes> of secret values, as a list of at most `most` entries. In a list,
 * "__proto__" is a key like any other, and a repeated key stays visible, so that the service can refuse it; an object
 * would keep only the last value.
 */
export const map = (
  number: number,
  name: string,
  values: "text" | "binary",
  most?: number,
): Field<readonly MapEntry[]> =>
  entries<MapEntry>(number, name, most, {
    read: (reader) => readMapEntry(reader, values),
    write: (writer, entry) => writeMapEntry(writer, number, entry),
  });

/** A map<string, string> whose values are not secret, as a list of at most `most` entries; see {@link map}. */
export const stringMap = (number: number, name: string, most?: number): Field<readonly StringEntry[]> =>
  entries<StringEntry>(number, name, most, {
    read: (reader) => {
      const { key, value } = readMapEntry(reader, "text");
      return [key, value.toString()];
    },
    write: (writer, [key, value]) => writeMapEntry(writer, number, { key, value: Buffer.from(value) }),
  });

/** How one entry is read and written. */
interface EntryFormat<Entry> {
  readonly read: (reader: WireReader) => Entry;
  readonly write: (writer: WireWriter, entry: Entry) => void;
}

function entries<Entry>(
  number: number,
  name: string,
  most = Number.POSITIVE_INFINITY,
  { read, write }: EntryFormat<Entry>,
): Field<readonly Entry[]> {
  return {
    number,
    name,
    type: "MESSAGE",
    wireType: WireType.bytes,
    absent: () => [],
    read: (reader, previous, actual) => {
      expectWireType(actual, WireType.bytes);
      const list = previous as Entry[];
      if (list.length === most) throw new TooManyElements(most);
      const outer = reader.enter();
      list.push(read(reader));
      reader.leave(outer);
      return list;
    },
    write: (writer, list) => {
      for (const entry of list) write(writer, entry);
    },
  };
}

// The tags of the two fields of an entry, with the numbers 1 and 2 (protobuf encoding, "Maps").
const KEY_TAG = 1 * 8 + WireType.bytes;
const VALUE_TAG = 2 * 8 + WireType.bytes;

// An entry has two fields. A newer release may add a few. Without a limit, millions of fields would take seconds.
const MAX_ENTRY_FIELDS = 8;

const EMPTY = Buffer.alloc(0);

function readMapEntry(reader: WireReader, values: "text" | "binary"): MapEntry & { readonly value: Buffer } {
  let key = "";
  let value: Buffer = EMPTY;
  for (let read = 0; !reader.done; read++) {
    if (read === MAX_ENTRY_FIELDS) throw new WireError(`has an entry of more than ${MAX_ENTRY_FIELDS} fields`);
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
