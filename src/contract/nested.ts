import { type Codec, type Field, readMessage, scalar, writeMessage } from "./message.ts";
import { WireType } from "./wire.ts";

/** A single message; undefined if absent. The last occurrence counts. */
export const nested = <T>(number: number, name: string, codec: Codec<T>): Field<T | undefined> =>
  scalar<T, undefined>(number, name, {
    type: "MESSAGE",
    wireType: WireType.bytes,
    absent: undefined,
    read: (reader) => readMessage(reader, codec),
    write: (writer, value) => writeMessage(writer, codec, value),
  });
