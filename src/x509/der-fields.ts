import { type DerElement, MalformedDer, TAG } from "./der.ts";

/** Reads the fields of a sequence in the order of its ASN.1 definition. Throws {@link MalformedDer}. */
export class DerFields {
  readonly #fields: readonly DerElement[];
  readonly #what: string;
  #next = 0;

  /** `what` names the sequence in errors. */
  constructor(element: DerElement, what: string, tag: number = TAG.sequence) {
    if (element.tag !== tag) throw new MalformedDer(`${what} has the wrong type`);
    this.#fields = element.children;
    this.#what = what;
  }

  /** The next field, with any tag. */
  any(): DerElement {
    const field = this.#fields[this.#next++];
    if (field === undefined) throw new MalformedDer(`${this.#what} lacks a field`);
    return field;
  }

  /** The next field, which must have this tag. */
  take(tag: number): DerElement {
    const field = this.any();
    if (field.tag !== tag) throw new MalformedDer(`${this.#what} has a field of the wrong type`);
    return field;
  }

  /** The next field if it has this tag; otherwise undefined, without advancing. */
  maybe(tag: number): DerElement | undefined {
    return this.#fields[this.#next]?.tag === tag ? this.any() : undefined;
  }

  /** All remaining fields. */
  rest(): readonly DerElement[] {
    const rest = this.#fields.slice(this.#next);
    this.#next = this.#fields.length;
    return rest;
  }

  /** Checks that no field remains. */
  end(): void {
    if (this.#next < this.#fields.length) throw new MalformedDer(`${this.#what} has an extra field`);
  }
}

/** The value of a small, non-negative INTEGER, such as a version. */
export function smallInteger(element: DerElement): number {
  const [first = 0x80] = element.value;
  if (element.value.length > 4 || first >= 0x80) throw new MalformedDer("a number is out of range");
  return element.value.readUIntBE(0, element.value.length);
}

/** The value of a BOOLEAN that is false if it is absent. */
export function optionalBoolean(element: DerElement | undefined): boolean {
  return element?.value[0] === 0xff;
}

/** The contents of a BIT STRING of whole bytes, such as a key or a signature. */
export function wholeBytes(element: DerElement): Buffer {
  if (element.value[0] !== 0) throw new MalformedDer("a bit string is not a whole number of bytes");
  return element.value.subarray(1);
}

/** The numbers of the bits that are set in a BIT STRING of flags. The first bit has the number 0. */
export function setBits(element: DerElement): ReadonlySet<number> {
  const bits = new Set<number>();
  for (let bit = 0; bit < (element.value.length - 1) * 8; bit++) {
    if ((element.value[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) bits.add(bit);
  }
  return bits;
}

/**
 * Longer than any identifier in use. Identifiers are logged, so an unauthenticated peer must not choose their length.
 */
const MAX_OID_BYTES = 32;

/** An OBJECT IDENTIFIER in dotted form, such as `2.5.29.15`. */
export function oidText(element: DerElement): string {
  if (element.value.length > MAX_OID_BYTES) throw new MalformedDer("an object identifier is too long");
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of element.value) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...others] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - 40 * top, ...others].join(".");
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** A time in milliseconds since the epoch. Accepts the two forms that RFC 5280 4.1.2.5 allows: in UTC, with seconds. */
export function timeOf(element: DerElement): number {
  const parts = TIME.exec(fullYear(element))?.slice(1).map(Number);
  if (parts === undefined) throw new MalformedDer("a time is not in UTC with seconds");
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second);
  // Date would silently turn the 31st of April into the 1st of May.
  const same = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour;
  if (!same || minute > 59 || second > 59) throw new MalformedDer("a time does not exist in the calendar");
  return time.getTime();
}

/** RFC 5280 4.1.2.5.1: in a UTCTime, the years 50 to 99 are in the 20th century, 00 to 49 in the 21st. */
function fullYear(element: DerElement): string {
  const text = element.value.toString("latin1");
  if (element.tag === TAG.generalizedTime) return text;
  if (element.tag !== TAG.utcTime) throw new MalformedDer("a time has the wrong type");
  return `${text >= "50" ? "19" : "20"}${text}`;
}
