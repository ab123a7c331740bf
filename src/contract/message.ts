import { WireError, WireReader, WireType } from "./wire.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * Encodes and decodes one message type. It is made from a table of the fields:
 *
 *     const getRequest = message<GetRequest>({ path: string(1, "path"), version: uint32(2, "version") });
 *
 * A test compares every table with the descriptors that are made from the proto.
 */
export interface Codec<T> {
  /** A message with these fields. All others are absent. */
  of(fields: Partial<T>): T;
  /** The first `headroom` bytes of the result are left for the caller, such as for a prefix. Default: 0. */
  encode(value: T, headroom?: number): Buffer;
  /** Throws {@link WireError}. Bytes and text are copies, so they don't keep the connection's buffer alive. */
  decode(bytes: Uint8Array): T;
  /** Decodes to the end of the message at which the reader is. */
  read(reader: WireReader): T;
  /** Encodes after what the writer has written. */
  write(writer: WireWriter, value: T): void;
  /** The table, for the test that compares it with the descriptors. */
  readonly fields: readonly Field<unknown>[];
}

/** How one field is read and written. */
export interface Field<T> {
  readonly number: number;
  /** The name in the proto, used in errors. */
  readonly name: string;
  /** The protobuf type as in descriptor.proto, without the prefix TYPE_, such as "STRING". */
  readonly type: string;
  readonly wireType: number;
  /** The value of an absent field. */
  readonly absent: () => T;
  /** Reads one occurrence. `previous` is the value after the earlier occurrences. */
  readonly read: (reader: WireReader, previous: T, wireType: number) => T;
  /** Writes the field, or nothing if it has its default value. */
  readonly write: (writer: WireWriter, value: T) => void;
}

// The limits of the initial size of the buffer for the next message, in bytes.
const LEAST_BYTES = 128;
const MOST_BYTES = 4096;

type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> | readonly Field<T[K]>[] };

/**
 * Makes a codec from a table. A property can have several fields, of which the message sets at most one (see
 * {@link oneof}). `mostFields` is the maximum number of fields on the wire: unknown and repeated ones, and those of
 * nested messages, included. Only that of the outermost message counts.
 */
export function message<T extends object>(table: Fields<T>, mostFields = Number.POSITIVE_INFINITY): Codec<T> {
  const columns = (Object.keys(table) as (keyof T)[]).flatMap((name) =>
    [table[name] as Field<unknown> | readonly Field<unknown>[]].flat().map((field) => ({ name, field })),
  );
  const columnOf = new Map(columns.map((column) => [column.field.number, column]));
  // Messages of one type often have similar lengths. A buffer that grows is copied and overwritten.
  let expected = LEAST_BYTES;
  // A copy of an object has all its properties at once. Adding them one by one took longer than reading a small message.
  const empty = Object.fromEntries(columns.map(({ name, field }) => [name, field.absent()])) as T;
  const lists = columns.filter(({ field }) => typeof field.absent() === "object");
  const absent = () => {
    const value = { ...empty };
    for (const { name, field } of lists) value[name] = field.absent() as T[keyof T];
    return value;
  };
  const write = (writer: WireWriter, value: T) => {
    for (const { name, field } of columns) field.write(writer, value[name]);
  };
  const read = (reader: WireReader) => {
    const value = absent();
    while (!reader.done) readField(reader, value);
    return value;
  };
  return {
    of: (fields) => ({ ...absent(), ...fields }),
    fields: columns.map(({ field }) => field),
    encode: (value, headroom = 0) => {
      const writer = new WireWriter(expected, headroom);
      write(writer, value);
      const bytes = writer.finish();
      expected = Math.min(Math.max(bytes.length, LEAST_BYTES), MOST_BYTES);
      return bytes;
    },
    decode: (bytes) => read(new WireReader(bytes, mostFields)),
    read,
    write,
  };

  function readField(reader: WireReader, value: T): void {
    const tag = reader.nextField();
    const column = columnOf.get(tag >>> 3);
    if (column === undefined) {
      reader.skip(tag & 7);
      return;
    }
    const { name, field } = column;
    try {
      value[name] = field.read(reader, value[name], tag & 7) as T[keyof T];
    } catch (error) {
      throw error instanceof WireError ? error.within(field.name) : error;
    }
  }
}

/** Throws a {@link WireError} if a field has the wrong wire type. */
export function expectWireType(actual: number, expected: number): void {
  if (actual !== expected) throw new WireError(`has wire type ${actual} instead of ${expected}`);
}

/** Reads a nested message. */
export function readMessage<T>(reader: WireReader, codec: Codec<T>): T {
  const outer = reader.enter();
  const value = codec.read(reader);
  reader.leave(outer);
  return value;
}

/** Writes a nested message. */
export function writeMessage<T>(writer: WireWriter, codec: Codec<T>, value: T): void {
  const start = writer.enter();
  codec.write(writer, value);
  writer.leave(start);
}

/** How one type of single value is read and written. */
export interface Scalar<T, Absent> {
  readonly type: string;
  readonly wireType: number;
  /** The value of an absent field. This value is not written. */
  readonly absent: Absent;
  readonly read: (reader: WireReader) => T;
  readonly write: (writer: WireWriter, value: T) => void;
}

/** A single value. The last occurrence counts. */
export function scalar<T, Absent extends T | undefined>(
  number: number,
  name: string,
  { type, wireType, absent, read, write }: Scalar<T, Absent>,
): Field<T | Absent> {
  return {
    number,
    name,
    type,
    wireType,
    absent: () => absent,
    read: (reader, _previous, actual) => {
      expectWireType(actual, wireType);
      return read(reader);
    },
    write: (writer, value) => {
      if (value === absent) return;
      writer.tag(number, wireType);
      write(writer, value as T);
    },
  };
}

/** A string; "" if absent. */
export const string = (number: number, name: string): Field<string> =>
  scalar<string, string>(number, name, {
    type: "STRING",
    wireType: WireType.bytes,
    absent: "",
    read: (reader) => reader.string(),
    write: (writer, value) => writer.string(value),
  });

const EMPTY = Buffer.alloc(0);

/** A copy of the bytes; empty if absent. */
export const bytes = (number: number, name: string): Field<Uint8Array> =>
  scalar<Uint8Array, Uint8Array>(number, name, {
    type: "BYTES",
    wireType: WireType.bytes,
    absent: EMPTY,
    read: (reader) => Buffer.from(reader.view()),
    write: (writer, value) => writer.bytes(value),
  });

/** An unsigned 32-bit number; 0 if absent. */
export const uint32 = (number: number, name: string): Field<number> =>
  scalar<number, number>(number, name, {
    type: "UINT32",
    wireType: WireType.varint,
    absent: 0,
    read: (reader) => reader.uint32(),
    write: (writer, value) => writer.varint(value),
  });

/** A signed 32-bit number; 0 if absent. */
export const int32 = (number: number, name: string): Field<number> =>
  scalar<number, number>(number, name, {
    type: "INT32",
    wireType: WireType.varint,
    absent: 0,
    read: (reader) => reader.int32(),
    write: (writer, value) => writer.signed(value),
  });

/** An unsigned 64-bit number, at most 2^53 - 1; 0 if absent. */
export const uint64 = (number: number, name: string): Field<number> =>
  scalar<number, number>(number, name, {
    type: "UINT64",
    wireType: WireType.varint,
    absent: 0,
    read: (reader) => reader.safeInteger(),
    write: (writer, value) => writer.varint(value),
  });

/** The number of an enum value; 0 if absent. */
export const enumeration = (number: number, name: string): Field<number> => ({ ...int32(number, name), type: "ENUM" });

/** A proto3 `optional` number: undefined if absent. 0 is written. */
export const optionalUint32 = (number: number, name: string): Field<number | undefined> =>
  scalar<number, undefined>(number, name, {
    type: "UINT32",
    wireType: WireType.varint,
    absent: undefined,
    read: (reader) => reader.uint32(),
    write: (writer, value) => writer.varint(value),
  });

const BOOL = {
  type: "BOOL",
  wireType: WireType.varint,
  read: (reader: WireReader) => reader.bool(),
  write: (writer: WireWriter, value: boolean) => writer.varint(value ? 1 : 0),
} as const;

/** A signed 64-bit number, between -(2^53 - 1) and 2^53 - 1; 0 if absent. */
export const int64 = (number: number, name: string): Field<number> =>
  scalar<number, number>(number, name, {
    type: "INT64",
    wireType: WireType.varint,
    absent: 0,
    read: (reader) => reader.signedInteger(),
    write: (writer, value) => writer.signed(value),
  });

/** A boolean; false if absent. */
export const bool = (number: number, name: string): Field<boolean> =>
  scalar<boolean, boolean>(number, name, { ...BOOL, absent: false });

/** A proto3 `optional` boolean: undefined if absent. */
export const optionalBool = (number: number, name: string): Field<boolean | undefined> =>
  scalar<boolean, undefined>(number, name, { ...BOOL, absent: undefined });

/** A proto3 `optional` string: undefined if absent. An empty one is written. */
export const optionalString = (number: number, name: string): Field<string | undefined> =>
  scalar<string, undefined>(number, name, {
    type: "STRING",
    wireType: WireType.bytes,
    absent: undefined,
    read: (reader) => reader.string(),
    write: (writer, value) => writer.string(value),
  });
