/** Writes DER, and bytes that are almost DER: a caller can insert any bytes anywhere. Sizes are in bytes. */

/** An element with this identifier octet and these contents. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(contents);
  return Buffer.concat([Buffer.of(tag), length(value.length), value]);
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.of(bytes);
  const hex = bytes.toString(16);
  const digits = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.of(0x80 + digits.length), digits]);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return element(0x30, ...contents);
}

function set(...contents: readonly Uint8Array[]): Buffer {
  return element(0x31, ...contents);
}

export function boolean(value: boolean): Buffer {
  return element(0x01, Buffer.of(value ? 0xff : 0x00));
}

/** An INTEGER that is not negative. */
export function integer(value: number | bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return element(0x02, bytes[0]! >= 0x80 ? Buffer.of(0) : Buffer.of(), bytes);
}

export function octetString(...contents: readonly Uint8Array[]): Buffer {
  return element(0x04, ...contents);
}

/** A BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return element(0x03, Buffer.of(0), bytes);
}

/** A BIT STRING with these bits set, without trailing zero bits. */
export function flags(...bits: readonly number[]): Buffer {
  if (bits.length === 0) return element(0x03, Buffer.of(0));
  const last = Math.max(...bits);
  const bytes = Buffer.alloc((last >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return element(0x03, Buffer.of(7 - (last & 7)), bytes);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first, second, ...others] = dotted.split(".").map(Number);
  return element(0x06, ...[40 * first! + second!, ...others].map(base128));
}

function base128(arc: number): Buffer {
  const digits = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) | 0x80);
  return Buffer.from(digits);
}

/** A relative distinguished name: an object identifier with a UTF8String. */
export function nameAttribute(type: string, value: string): Buffer {
  return set(sequence(oid(type), element(0x0c, Buffer.from(value))));
}

/** A UTCTime, or from 2050 on a GeneralizedTime; `time` is milliseconds since the epoch. */
export function time(time: number): Buffer {
  const digits = `${new Date(time).toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`;
  return digits >= "2050" ? element(0x18, Buffer.from(digits)) : element(0x17, Buffer.from(digits.slice(2)));
}
