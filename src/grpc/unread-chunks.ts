import type { Readable } from "node:stream";

/** The property is Node's, and not in its documentation. */
type Buffered = Readable & { readonly readableBuffer?: Iterable<Uint8Array | null> };

/** The chunks that have arrived on a stream and were not read. Those that were leave empty places (Node 22 and later). */
export function unreadChunks(stream: Readable): Uint8Array[] {
  return [...((stream as Buffered).readableBuffer ?? [])].filter((chunk) => chunk !== null);
}
