/** The length of a piece, and the distance between two. Random bytes of this length do not occur twice by chance. */
const PIECE_BYTES = 24;

/** Counts the places in `bytes` at which a piece of one of the contents begins. */
export function piecesIn(bytes: Buffer, contents: readonly Buffer[]): number {
  const pieces = new Set<string>();
  // The first three bytes of all pieces, because a look at each place of a large file has to be fast.
  const beginnings = new Uint8Array(1 << 24);
  for (const content of contents) {
    for (let at = 0; at + PIECE_BYTES <= content.length; at += PIECE_BYTES) {
      pieces.add(content.toString("latin1", at, at + PIECE_BYTES));
      beginnings[content.readUIntLE(at, 3)] = 1;
    }
  }
  let count = 0;
  for (let at = 0, next = 0; at + PIECE_BYTES <= bytes.length; at++) {
    next = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    if (beginnings[next] === 1 && pieces.has(bytes.toString("latin1", at, at + PIECE_BYTES))) count++;
  }
  return count;
}
