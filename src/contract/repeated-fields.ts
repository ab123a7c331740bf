import { type Codec, type Field, expectWireType, readMessage, writeMessage } from "./message.ts";
import { TooManyElements, WireError, type WireReader, WireType } from "./wire.ts";
import { type WireWriter, varintLength } from "./wire-writer.ts";

/** At most `most` numbers. Written packed; read packed or unpacked, as the protobuf specification requires. */
export const repeatedUint32 = (
  number: number,
  name: string,
  most = Number.POSITIVE_INFINITY,
): Field<readonly number[]> => ({
  number,
  name,
  type: "UINT32",
  wireType: WireType.bytes,
  absent: () => [],
  read: (reader, previous, actual) => {
    // Appends in place. A new list for each number would block the thread for minutes with 4 MB of unpacked numbers.
    const list = previous as number[];
    if (actual === WireType.varint) {
      append(list, most, () => reader.uint32());
      return list;
    }
    expectWireType(actual, WireType.bytes);
    const outer = reader.enter();
    while (!reader.done) append(list, most, () => reader.uint32());
    reader.leave(outer);
    return list;
  },
  write: (writer, values) => {
    if (values.length === 0) return;
    writer.tag(number, WireType.bytes);
    writer.varint(values.reduce((sum, value) => sum + varintLength(value), 0));
    for (const value of values) writer.varint(value);
  },
});

/** At most `most` strings. */
export const repeatedString = (
  number: number,
  name: string,
  most = Number.POSITIVE_INFINITY,
): Field<readonly string[]> =>
  list(number, name, "STRING", most, {
    read: (reader) => reader.string(),
    write: (writer, value) => writer.string(value),
  });

/** At most `most` messages. */
export const repeated = <T>(
  number: number,
  name: string,
  codec: Codec<T>,
  most = Number.POSITIVE_INFINITY,
): Field<readonly T[]> =>
  list(number, name, "MESSAGE", most, {
    read: (reader) => readMessage(reader, codec),
    write: (writer, value) => writeMessage(writer, codec, value),
  });

interface Element<T> {
  readonly read: (reader: WireReader) => T;
  readonly write: (writer: WireWriter, value: T) => void;
}

function list<T>(
  number: number,
  name: string,
  type: string,
  most: number,
  { read, write }: Element<T>,
): Field<readonly T[]> {
  return {
    number,
    name,
    type,
    wireType: WireType.bytes,
    absent: () => [],
    read: (reader, previous, actual) => {
      expectWireType(actual, WireType.bytes);
      append(previous as T[], most, () => read(reader));
      return previous;
    },
    write: (writer, values) => {
      for (const value of values) {
        writer.tag(number, WireType.bytes);
        write(writer, value);
      }
    },
  };
}

/** Reads one more element, whose errors name its index. */
function append<T>(list: T[], most: number, read: () => T): void {
  if (list.length === most) throw new TooManyElements(most);
  try {
    list.push(read());
  } catch (error) {
    throw error instanceof WireError ? error.within(`[${list.length}]`) : error;
  }
}
