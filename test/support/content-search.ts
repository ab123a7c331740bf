/** The length of a piece, and the distance between two. Random bytes of this length do not occur twice by chance. */
const PIECE_BYTES = 24;

/** Counts the places in `bytes` at which a piece of one of the contents begins. */
export function piecesIn(bytes: Buffer, contents: readonly Buffer[]): number {
  const pieces = new Map<number, Buffer[]>();
  for (const content of contents) {
    for (let at = 0; at + PIECE_BYTES <= content.length; at += PIECE_BYTES) {
      const first = content.readUInt32LE(at);
      const piece = content.subarray(at, at + PIECE_BYTES);
      pieces.set(first, [...(pieces.get(first) ?? []), piece]);
    }
  }
  let count = 0;
  for (let at = 0; at + PIECE_BYTES <= bytes.length; at++) {
    const candidates = pieces.get(bytes.readUInt32LE(at));
    if (candidates?.some((piece) => bytes.subarray(at, at + PIECE_BYTES).equals(piece))) count++;
  }
  return count;
}
