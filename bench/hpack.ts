/**
 * Decodes the header compression of one connection (HPACK, RFC 7541) as far as the grpc-status of each block requires.
 * A client that guessed the status from the size of the trailers would count failures as calls.
 *
 * Two facts keep this class small. It compares names and codes in their encoded form, so it decompresses nothing. An
 * entry of the dynamic table takes at least 32 of its 4,096 bytes (section 4.1), so the newest 128 entries contain
 * every entry that the server can still refer to, and no eviction has to be followed.
 */
export class StatusReader {
  /** Newest first, as section 2.3.3 counts them. */
  readonly #table: Field[] = [];

  /**
   * Returns the block's grpc-status, undefined if it has none. Must be called for every block of the connection, in
   * order.
   */
  read(block: Uint8Array): number | undefined {
    const cursor = new Cursor(block);
    let status: number | undefined;
    while (!cursor.done) {
      const field = this.#next(cursor);
      if (field.kind === "status") status = field.code;
    }
    return status;
  }

  /** Reads one field, in one of the representations of section 6. */
  #next(cursor: Cursor): Field {
    const first = cursor.peek();
    if (first >= 0x80) return this.#indexed(cursor.integer(7));
    if (first >= 0x40) return this.#remember(this.#literal(cursor, cursor.integer(6)));
    if (first >= 0x20) return cursor.integer(5) <= TABLE_BYTES ? OTHER : refuse("a table larger than agreed");
    return this.#literal(cursor, cursor.integer(4));
  }

  #indexed(index: number): Field {
    if (index <= STATIC_ENTRIES) return OTHER;
    return this.#table[index - STATIC_ENTRIES - 1] ?? refuse("an index beyond the table");
  }

  #literal(cursor: Cursor, nameIndex: number): Field {
    const isStatus = nameIndex === 0 ? STATUS_NAMES.has(cursor.string()) : this.#indexed(nameIndex).kind === "status";
    const value = cursor.string();
    return isStatus ? { kind: "status", code: codeOf(value) } : OTHER;
  }

  #remember(field: Field): Field {
    this.#table.unshift(field);
    if (this.#table.length > TABLE_BYTES / 32) this.#table.pop();
    return field;
  }
}

/** A header field: only a status has a value here. */
type Field = { readonly kind: "status"; readonly code: number } | { readonly kind: "other" };

const OTHER: Field = { kind: "other" };

/** SETTINGS_HEADER_TABLE_SIZE: the client uses its default. */
const TABLE_BYTES = 4096;

/** The number of entries of the static table. None of them is a grpc-status. */
const STATIC_ENTRIES = 61;

/** "grpc-status" as plain text and in the Huffman code of appendix B, each after its length. */
const STATUS_NAMES = new Set(["\x0bgrpc-status", Buffer.from("889acac8b21234da8f", "hex").toString("latin1")]);

/** Encoders send one or two digits as plain text, because the Huffman code does not make them shorter. */
function codeOf(value: string): number {
  const digits = value.slice(1);
  const isPlain = value.charCodeAt(0) === digits.length && /^\d{1,2}$/.test(digits);
  return isPlain ? Number(digits) : refuse("a grpc-status in an unknown form");
}

class Cursor {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#offset] ?? refuse("a truncated block");
  }

  /** Section 5.1: the low bits of one byte, and further bytes if those bits are all ones. */
  integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#byte() & limit;
    if (value < limit) return value;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  }

  /** Section 5.2, without decoding: the length with its Huffman bit, and the bytes; one character for each byte. */
  string(): string {
    const start = this.#offset;
    const length = this.integer(7);
    this.#offset += length;
    if (this.#offset > this.#bytes.length) refuse("a truncated string");
    return this.#bytes.toString("latin1", start, this.#offset);
  }

  #byte(): number {
    const byte = this.peek();
    this.#offset += 1;
    return byte;
  }
}

function refuse(what: string): never {
  throw new Error(`the server's headers have ${what}`);
}
