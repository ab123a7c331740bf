/** A set of byte values, as a lookup table. No set that SPIFFE defines contains bytes above 127. */
export class CharacterSet {
  readonly #member = new Uint8Array(256);
  /** The members, for messages. */
  readonly description: string;

  constructor(members: string, description: string) {
    for (const member of members) this.#member[member.charCodeAt(0)] = 1;
    this.description = description;
  }

  has(byte: number): boolean {
    return this.#member[byte] === 1;
  }

  /** The first byte that is not a member; undefined if all are. */
  firstOutside(bytes: Uint8Array): number | undefined {
    return bytes.find((byte) => !this.has(byte));
  }
}

/** A byte in a form that is safe to print: a printable ASCII character in quotes, any other byte by its number. */
export function showByte(byte: number): string {
  if (byte > 0x20 && byte < 0x7f) return JSON.stringify(String.fromCharCode(byte));
  return `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}
