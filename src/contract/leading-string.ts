import { expectWireType } from "./message.ts";
import { Truncated, WireError, WireReader, WireType } from "./wire.ts";

/** The string field at the start of every request of a service, such as the path. */
export interface LeadingField {
  readonly number: number;
  /** The name in the proto, for errors. */
  readonly name: string;
}

// Every implementation of protobuf writes fields in the order of their numbers. These limits also accept an
// implementation that writes some other fields first. With higher limits, a caller that no rule matches could make the
// server scan a large request.
const MOST_FIELDS = 64;
const MOST_BYTES = 16 * 1024;

/**
 * Reads one string from a message and decodes nothing else, so that the caller is authorized before its request is
 * decoded. Returns "" if the field is absent. Throws {@link WireError}.
 */
export function leadingString(message: Uint8Array, field: LeadingField): string {
  const value = message.length < MOST_BYTES ? find(message, field) : leadingStringSoFar(message, field);
  return value ?? "";
}

/**
 * As {@link leadingString}, for a message of which only the first bytes have arrived. Returns undefined if the field
 * can still be in the missing bytes. Throws {@link WireError}.
 */
export function leadingStringSoFar(bytes: Uint8Array, field: LeadingField): string | undefined {
  const value = unlessTruncated(() => find(bytes.subarray(0, MOST_BYTES), field));
  if (value === undefined && bytes.length >= MOST_BYTES) throw tooLate(field);
  return value;
}

/** The field's value; undefined if the bytes end before it. */
function find(bytes: Uint8Array, field: LeadingField): string | undefined {
  const reader = new WireReader(bytes);
  for (let fields = 0; !reader.done; fields++) {
    if (fields === MOST_FIELDS) throw tooLate(field);
    const tag = reader.tag();
    if (tag >>> 3 === field.number) return readString(reader, tag & 7, field);
    reader.skip(tag & 7);
  }
  return undefined;
}

function readString(reader: WireReader, wireType: number, { name }: LeadingField): string {
  try {
    expectWireType(wireType, WireType.bytes);
    return reader.string();
  } catch (error) {
    throw error instanceof WireError ? error.within(name) : error;
  }
}

function unlessTruncated(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Truncated) return undefined;
    throw error;
  }
}

function tooLate({ name }: LeadingField): WireError {
  return new WireError(`must be among the first ${MOST_FIELDS} fields and in the first ${MOST_BYTES} bytes`, name);
}
