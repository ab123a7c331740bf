import type { Readable } from "node:stream";

/** Node does not document this property. */
type Buffered = Readable & { readonly readableBuffer?: Iterable<Uint8Array | null> & { readonly length: number } };

/**
 * The chunks that have arrived on a stream and have not been read. Chunks that were read leave empty places (Node 22
 * and later).
 */
export function unreadChunks(stream: Readable): Uint8Array[] {
  return [...((stream as Buffered).readableBuffer ?? [])].filter((chunk) => chunk !== null);
}

/**
 * Whether at most one chunk waits to be read, so that reading it makes no copy. Chunks that were read leave empty
 * places, so it can be false although only one chunk waits.
 */
export function hasOneChunk(stream: Readable): boolean {
  return ((stream as Buffered).readableBuffer?.length ?? 2) <= 1;
}
