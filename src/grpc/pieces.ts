import { type ServerHttp2Stream, constants } from "node:http2";
import { unreadChunks } from "./unread-chunks.ts";

// The pieces that a request may have beyond one for each PIECE_BYTES of it. HTTP/2 stacks send frames of 16 KiB.
const FREE_PIECES = 64;
const PIECE_BYTES = 256;

// The pieces of a request that may stay where they arrived. Requests of a usual size come in one or two.
const IN_PLACE = 4;

/**
 * Bounds what it costs to hold a request beyond its bytes, which is what is budgeted. Each DATA frame becomes an object
 * of some 200 bytes and keeps the whole read that it came with: 3 MB in frames of one byte took 1 GB. A stream with more
 * pieces than any client sends is closed with ENHANCE_YOUR_CALM (RFC 9113 7).
 */
export function boundPieces(stream: ServerHttp2Stream): void {
  const push = stream.push.bind(stream);
  // On Node 26 a stream is announced when the whole read that it came with has been taken in.
  const arrived = unreadChunks(stream);
  let pieces = arrived.length;
  let bytes = arrived.reduce((sum, { length }) => sum + length, 0);
  const areTooMany = () => pieces > FREE_PIECES + bytes / PIECE_BYTES;
  const close = () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  stream.push = (piece: Buffer | null) => {
    if (piece === null) return push(piece);
    pieces += 1;
    bytes += piece.length;
    if (pieces <= IN_PLACE) return push(piece);
    if (!areTooMany()) return push(moved(piece));
    close();
    return false;
  };
  if (areTooMany()) close();
}

/** A copy of its own, so that no more than the piece is kept. It may be of a secret's value: the original is overwritten. */
function moved(piece: Buffer): Buffer {
  if (piece.length >= PIECE_BYTES) return piece;
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  piece.fill(0);
  return copy;
}
