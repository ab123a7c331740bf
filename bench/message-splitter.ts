/** A compressed-flag and a length of four bytes before each message ("Length-Prefixed-Message" in gRPC over HTTP/2). */
const PREFIX_BYTES = 5;

/** Splits the bytes of a gRPC stream into messages. */
export class MessageSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Calls `take` for each message that this chunk completes. The bytes are valid only during the call. */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (offset + PREFIX_BYTES <= bytes.length) {
      const end = offset + PREFIX_BYTES + bytes.readUInt32BE(offset + 1);
      if (end > bytes.length) break;
      take(bytes.subarray(offset + PREFIX_BYTES, end));
      offset = end;
    }
    // A copy, because the chunk can be a view that is valid only during this call.
    this.#rest = Buffer.from(bytes.subarray(offset));
  }
}
