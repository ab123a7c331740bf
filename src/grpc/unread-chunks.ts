import type { Readable } from "node:stream";

/** Node does not document this property. */
type Buffered = Readable & { readonly readableBuffer?: Iterable<Uint8Array | null> };

/**
 * The chunks that have arrived on a stream and have not been read. In Node 22 and later, the buffer contains null in
 * the place of a chunk that was read.
 */
export function unreadChunks(stream: Readable): Uint8Array[] {
  return [...((stream as Buffered).readableBuffer ?? [])].filter((chunk) => chunk !== null);
}
