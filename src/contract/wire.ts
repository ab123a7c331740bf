import { isUtf8 } from "node:buffer";

/**
 * The protobuf wire format, read strictly. A lenient reader replaces invalid UTF-8 by U+FFFD, accepts a truncated
 * message as a shorter one, and keeps the low half of a number that is too large. In a secrets store, each of these
 * would silently change what the caller sent. Source: protobuf.dev, "Encoding".
 */

/** The encoding of a field. 3 and 4 (groups) are obsolete; 6 and 7 were never defined. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The bytes are not a valid message. `problem` describes them and never contains any of them. */
export class WireError extends Error {
  override readonly name: string = "WireError";
  readonly problem: string;
  /** The name in the proto of the field with the error; undefined if the error is not within a field. */
  field: string | undefined;

  constructor(problem: string, field?: string) {
    super(`${field ?? "the message"} ${problem}`);
    this.problem = problem;
    this.field = field;
  }

  /**
   * Adds the field that contains the error's field, such as `operations`, or an index in it, such as `[3]`. The name of
   * a nested field is its path, as in `operations[3].put.data`.
   */
  within(field: string): this {
    const dot = this.field === undefined || this.field.startsWith("[") ? "" : ".";
    this.field = `${field}${dot}${this.field ?? ""}`;
    this.message = `${this.field} ${this.problem}`;
    return this;
  }
}

/** The bytes end within a field. More bytes may follow. */
export class Truncated extends WireError {
  constructor() {
    super("is truncated");
  }
}

/** A field has more elements than its limit. */
export class TooManyElements extends WireError {
  readonly limit: number;

  constructor(limit: number, field?: string) {
    super(`has more than ${limit} elements`, field);
    this.limit = limit;
  }
}

const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

/** Reads one message, and the messages that it contains, from front to back. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #mostFields: number;
  #fields = 0;
  #offset = 0;
  /** Where the message ends that is being read. */
  #end: number;
  #low = 0;
  #high = 0;

  /** `mostFields` is the maximum number of calls of {@link nextField}. */
  constructor(bytes: Uint8Array, mostFields = Number.POSITIVE_INFINITY) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#mostFields = mostFields;
    this.#end = this.#bytes.length;
  }

  get done(): boolean {
    return this.#offset === this.#end;
  }

  /** Begins to read a nested message. Returns the end of the outer one, for {@link leave}. */
  enter(): number {
    const outer = this.#end;
    const length = this.uint32();
    const end = this.#offset + length;
    if (end > outer) throw new Truncated();
    this.#end = end;
    return outer;
  }

  /** Continues with the outer message, after the nested one has been read completely. */
  leave(outer: number): void {
    this.#end = outer;
  }

  /** As {@link tag}, and counts the field. Throws beyond the maximum number of fields. */
  nextField(): number {
    if (this.#fields === this.#mostFields) throw new WireError(`has more than ${this.#mostFields} fields`);
    this.#fields += 1;
    return this.tag();
  }

  /** Reads a field's number and wire type, as number * 8 + type. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new WireError("has a field with the number 0");
    return tag;
  }

  /** Reads an unsigned number of at most 2^32 - 1. */
  uint32(): number {
    const first = this.#bytes[this.#offset];
    if (first !== undefined && first < 0x80 && this.#offset < this.#end) {
      this.#offset += 1;
      return first;
    }
    this.#varint();
    if (this.#high !== 0) throw new WireError("does not fit in 32 bits");
    return this.#low;
  }

  /** Reads a signed 32-bit number. Negative numbers are sent as 64 bits of two's complement. */
  int32(): number {
    this.#varint();
    const positive = this.#high === 0 && this.#low < TWO_31;
    const negative = this.#high === TWO_32 - 1 && this.#low >= TWO_31;
    if (!positive && !negative) throw new WireError("does not fit in 32 bits");
    return this.#low | 0;
  }

  /** Reads a 64-bit number of at most 2^53 - 1, which a double represents exactly. */
  safeInteger(): number {
    this.#varint();
    const value = this.#high * TWO_32 + this.#low;
    if (!Number.isSafeInteger(value)) throw new WireError("is larger than 2^53 - 1");
    return value;
  }

  /** Reads a signed 64-bit number between -(2^53 - 1) and 2^53 - 1. */
  signedInteger(): number {
    this.#varint();
    const high = this.#high < TWO_31 ? this.#high : this.#high - TWO_32;
    const value = high * TWO_32 + this.#low;
    if (!Number.isSafeInteger(value)) throw new WireError("is not between -(2^53 - 1) and 2^53 - 1");
    return value;
  }

  /** Reads a boolean. As in every implementation of protobuf, all numbers except 0 are true. */
  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  /** Reads 64 bits into #high and #low. It multiplies and adds, because a shift works on 32 bits only. */
  #varint(): void {
    let lowest28 = 0;
    let rest = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 28) lowest28 += (byte & 0x7f) * 2 ** shift;
      else rest += (byte & 0x7f) * 2 ** (shift - 28);
      if (byte >= 0x80) continue;
      if (rest >= 2 ** 36) break;
      this.#low = lowest28 + (rest % 16) * 2 ** 28;
      this.#high = Math.floor(rest / 16);
      return;
    }
    throw new WireError("has a number of more than 64 bits");
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined || this.#offset === this.#end) throw new Truncated();
    this.#offset += 1;
    return byte;
  }

  /** Returns bytes as a view, which keeps the whole buffer of the message alive. Copy what you keep. */
  view(): Buffer {
    return this.#take(this.uint32());
  }

  #take(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Skips bytes and returns the offset of the first. */
  #advance(length: number): number {
    const start = this.#offset;
    if (start + length > this.#end) throw new Truncated();
    this.#offset += length;
    return start;
  }

  /** Reads UTF-8 bytes, as a copy. */
  utf8(): Buffer {
    const view = this.view();
    if (!isUtf8(view)) throw new WireError("is not valid UTF-8");
    return Buffer.from(view);
  }

  /** Reads a string. Invalid UTF-8 is refused, never replaced. */
  string(): string {
    const start = this.#advance(this.uint32());
    if (this.#isAscii(start)) return this.#bytes.toString("latin1", start, this.#offset);
    const view = this.#bytes.subarray(start, this.#offset);
    if (!isUtf8(view)) throw new WireError("is not valid UTF-8");
    return view.toString("utf8");
  }

  // Paths and keys are ASCII, so they need neither a view nor a decoder.
  #isAscii(start: number): boolean {
    for (let i = start; i < this.#offset; i++) if ((this.#bytes[i] ?? 0) >= 0x80) return false;
    return true;
  }

  /** Skips a field that this release does not know. A newer client can send one. */
  skip(wireType: number): void {
    if (wireType === WireType.varint) this.#varint();
    else if (wireType === WireType.fixed64) this.#take(8);
    else if (wireType === WireType.bytes) this.view();
    else if (wireType === WireType.fixed32) this.#take(4);
    else throw new WireError(`has a field of wire type ${wireType}`);
  }
}
