import { type Codec, type Field, expectWireType, readMessage, writeMessage } from "./message.ts";
import { WireError, WireType } from "./wire.ts";

/** One message of several types. `kind` is the name of its field in the proto. */
export interface Case<Kind extends string, Value> {
  readonly kind: Kind;
  readonly value: Value;
}

/** The number and the codec of each field of a oneof. */
type Cases<T extends Case<string, unknown>> = {
  readonly [K in T["kind"]]: readonly [number: number, codec: Codec<Extract<T, { kind: K }>["value"]>];
};

/**
 * The fields of a oneof of messages; undefined if none is set. A message that sets two is refused: other
 * implementations of protobuf would use the last one, which the caller may not have meant.
 */
export function oneof<T extends Case<string, unknown>>(cases: Cases<T>): readonly Field<T | undefined>[] {
  const entries = Object.entries(cases) as [T["kind"], readonly [number, Codec<T["value"]>]][];
  return entries.map(([kind, [number, codec]]) => ({
    number,
    name: kind,
    type: "MESSAGE",
    wireType: WireType.bytes,
    absent: () => undefined,
    read: (reader, previous, actual) => {
      expectWireType(actual, WireType.bytes);
      if (previous !== undefined) throw new WireError("is set, and so is another field of the same oneof");
      return { kind, value: readMessage(reader, codec) } as T;
    },
    write: (writer, value) => {
      if (value?.kind !== kind) return;
      writer.tag(number, WireType.bytes);
      writeMessage(writer, codec, value.value);
    },
  }));
}
