/** Identifier octets that X.509 uses (ITU-T X.690 8.1.2). Context-specific tags are defined where they are used. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const CONSTRUCTED = 0x20;
const CLASS = 0xc0;
/** A tag number of 31 means that the number follows in further bytes. X.509 has no such tags. */
const LONG_TAG = 0x1f;

/** More levels than any certificate has. Without a limit, 64 KiB of nested sequences would exhaust the stack. */
const MAX_DEPTH = 24;

/** More than a certificate with 800 names has. 64 KiB can contain 30,000 elements, which would take 30 ms to read. */
const MAX_ELEMENTS = 1000;

/** One element of DER, whose contents are not read. All of its buffers are views of the bytes that were read. */
export interface UnreadElement {
  /** The identifier octet. */
  readonly tag: number;
  /** The contents, without tag and length. */
  readonly value: Buffer;
  /** Everything, tag and length included. */
  readonly der: Buffer;
}

/** One element of DER with everything in it. */
export interface DerElement extends UnreadElement {
  /** The elements inside a constructed element; empty for a primitive one. */
  readonly children: readonly DerElement[];
}

/** The bytes are not DER, or not the expected structure. The message contains none of the bytes. */
export class MalformedDer extends Error {
  override readonly name = "MalformedDer";
}

/**
 * Reads exactly one element and everything in it, as DER (X.690 10 and 11). Refuses any other encoding of the same
 * value, at every level, because another reader could read another value from it. Throws {@link MalformedDer}.
 */
export function parseDer(bytes: Uint8Array): DerElement {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements = readAll(buffer, 0, { left: MAX_ELEMENTS });
  const [element] = elements;
  if (element === undefined || elements.length > 1) {
    throw new MalformedDer(`${elements.length} elements where one is expected`);
  }
  return element;
}

/**
 * Splits concatenated elements, such as the certificates in the Workload API, into the bytes of each. Throws as
 * {@link unreadElements} does, but for any number of elements.
 */
export function splitDer(bytes: Uint8Array): Buffer[] {
  return unreadElements(bytes, Number.POSITIVE_INFINITY).map(({ der }) => der);
}

/**
 * Concatenated elements, such as the fields of a sequence. Does not read their contents. Throws {@link MalformedDer} if
 * a tag or a length is not in DER, the last element is incomplete, or there are more than `most` elements.
 */
export function unreadElements(bytes: Uint8Array, most = MAX_ELEMENTS): UnreadElement[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: UnreadElement[] = [];
  for (let offset = 0; offset < buffer.length; ) {
    if (elements.length === most) throw new MalformedDer(`more than ${most} elements`);
    const element = firstElement(buffer.subarray(offset));
    elements.push(element);
    offset += element.der.length;
  }
  return elements;
}

/** The number of elements that may still be read, in the whole tree. */
interface Allowance {
  left: number;
}

function readAll(bytes: Buffer, depth: number, allowance: Allowance): DerElement[] {
  if (depth > MAX_DEPTH) throw new MalformedDer(`nested more than ${MAX_DEPTH} deep`);
  const elements: DerElement[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const element = readOne(bytes.subarray(offset), depth, allowance);
    elements.push(element);
    offset += element.der.length;
  }
  return elements;
}

function readOne(bytes: Buffer, depth: number, allowance: Allowance): DerElement {
  if (allowance.left-- === 0) throw new MalformedDer(`more than ${MAX_ELEMENTS} elements`);
  const { tag, value, der } = firstElement(bytes);
  checkForm(tag, value);
  const children = (tag & CONSTRUCTED) === 0 ? [] : readAll(value, depth + 1, allowance);
  return { tag, value, der, children };
}

/** The first element, as its length delimits it. Does not read its contents. */
function firstElement(bytes: Buffer): UnreadElement {
  const tag = bytes.readUInt8();
  // OpenSSL reads any tag in the long form. It would find the length at another place, and so different elements.
  if ((tag & LONG_TAG) === LONG_TAG) throw new MalformedDer("a tag that X.509 does not use");
  const { length, header } = readLength(bytes);
  const end = header + length;
  if (end > bytes.length) throw new MalformedDer("an element is longer than what contains it");
  return { tag, value: bytes.subarray(header, end), der: bytes.subarray(0, end) };
}

/** X.690 10.1: a length is definite and in the fewest bytes. No certificate needs more than three bytes of length. */
function readLength(bytes: Buffer): { length: number; header: number } {
  const first = bytes[1];
  if (first === undefined) throw new MalformedDer("an element ends before its length");
  if (first < 0x80) return { length: first, header: 2 };
  const count = first - 0x80;
  const header = 2 + count;
  if (count < 1 || count > 3 || header > bytes.length) throw new MalformedDer("a length is indefinite or too long");
  const length = bytes.readUIntBE(2, count);
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new MalformedDer("a length is not in the fewest bytes");
  return { length, header };
}

function checkForm(tag: number, value: Buffer): void {
  if (tag === 0) throw new MalformedDer("a tag that X.509 does not use");
  if ((tag & CLASS) !== 0) return;
  const composite = tag === TAG.sequence || tag === TAG.set;
  if (composite !== ((tag & CONSTRUCTED) !== 0) || tag === 0x10 || tag === 0x11) {
    throw new MalformedDer("a constructed string, or a primitive sequence");
  }
  const wellFormed = FORMS.get(tag);
  if (wellFormed?.(value) === false) throw new MalformedDer(`an ill-formed value of type 0x${tag.toString(16)}`);
}

/** The rules of DER for the contents of primitive types that have several encodings in BER. */
const FORMS: ReadonlyMap<number, (value: Buffer) => boolean> = new Map([
  [TAG.boolean, isBoolean],
  [TAG.integer, isInteger],
  [TAG.enumerated, isInteger],
  [TAG.bitString, isBitString],
  [TAG.null, (value: Buffer) => value.length === 0],
  [TAG.oid, isOid],
]);

/** X.690 11.1: FF is the only TRUE. */
function isBoolean(value: Buffer): boolean {
  return value.length === 1 && (value[0] === 0x00 || value[0] === 0xff);
}

/** X.690 8.3.2: the first nine bits are neither all zero nor all one. */
function isInteger(value: Buffer): boolean {
  if (value.length < 2) return value.length === 1;
  const nine = value.readUInt16BE(0) >> 7;
  return nine !== 0 && nine !== 0x1ff;
}

/** X.690 11.2.1: the bits that are not used are zero. */
function isBitString(value: Buffer): boolean {
  const unused = value[0];
  if (unused === undefined || unused > 7) return false;
  if (value.length === 1) return unused === 0;
  return (value.readUInt8(value.length - 1) & ((1 << unused) - 1)) === 0;
}

/** X.690 8.19.2: no component begins with padding, and the last one is complete. */
function isOid(value: Buffer): boolean {
  const last = value.at(-1);
  if (last === undefined || last >= 0x80) return false;
  return value.every((byte, index) => byte !== 0x80 || (value[index - 1] ?? 0) >= 0x80);
}
