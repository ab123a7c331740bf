// Writes the wire format that wire.ts reads.

const TWO_31 = 2 ** 31;

// In characters. The length of an ASCII string of at most this many characters takes one byte.
const SHORT_STRING = 64;

/** Writes one message, and the messages that it contains, from front to back. */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  /** The first `headroom` bytes of the message are left for the caller. */
  constructor(sizeHint = 128, headroom = 0) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
    this.#length = headroom;
  }

  /** Returns the message. Don't use the writer afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * Begins to write a nested message. Returns where it starts, for {@link leave}. It has no buffer of its own, because it
   * may contain a secret value: the caller overwrites the outer message only.
   */
  enter(): number {
    this.#reserve(1);
    this.#length += 1;
    return this.#length;
  }

  /** Continues with the outer message: writes the length of the nested one in front of it. */
  leave(start: number): void {
    const length = this.#length - start;
    const shift = varintLength(length) - 1;
    // Reserves the space for the length now. If `varint` had to reserve it below, where `#length` excludes the nested
    // message, the move to a larger buffer would lose that message.
    this.#reserve(10);
    if (shift > 0) this.#bytes.copyWithin(start + shift, start, this.#length);
    this.#length = start - 1;
    this.varint(length);
    this.#length += length;
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  /** Writes a non-negative safe integer. */
  varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    for (; rest >= TWO_31; rest = Math.floor(rest / 0x80)) this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
    // From here on, rest is an integer of 31 bits, for which operators on bits are faster.
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  /** Writes a signed safe integer. A negative one takes ten bytes. */
  signed(value: number): void {
    if (value >= 0) {
      this.varint(value);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    this.#reserve(10);
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#length++] = Number(rest);
  }

  string(value: string): void {
    if (value.length <= SHORT_STRING && this.#ascii(value)) return;
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
  }

  /** Writes a short string, unless it has a character that is not ASCII. Faster than a call of a native function. */
  #ascii(value: string): boolean {
    const { length } = value;
    this.#reserve(1 + length);
    const start = this.#length + 1;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#bytes[start + i] = code;
    }
    this.#bytes[start - 1] = length;
    this.#length = start + length;
    return true;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    // The old buffer may contain a secret value, and only this writer can overwrite it.
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}

/** The number of bytes that a varint takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
