import { type ServerHttp2Stream, constants } from "node:http2";
import { unreadChunks } from "./unread-chunks.ts";

// A piece is the payload of one DATA frame. A request may have this many pieces, and one more for each PIECE_BYTES of
// its length. HTTP/2 libraries send frames of 16 KiB.
const FREE_PIECES = 64;
const PIECE_BYTES = 256;

// The number of pieces of a request that are not copied. Requests of a usual size arrive in one or two.
const IN_PLACE = 4;

/**
 * Bounds the memory that a request takes in addition to its payload, because the budget counts only the payload. Each
 * DATA frame becomes an object of about 200 bytes, and retains the whole buffer that it was read with: 3 MB in frames
 * of one byte took 1 GB. A stream with more pieces than any client sends is closed with ENHANCE_YOUR_CALM (RFC 9113 7).
 * `isComplete`: the peer has ended the request, so no more pieces arrive.
 */
export function boundPieces(stream: ServerHttp2Stream, isComplete: boolean): void {
  // The "stream" event comes after the whole read that contained the headers has been processed, so pieces may have
  // arrived already. Each has at least one byte.
  if (isComplete && stream.readableLength <= FREE_PIECES) return;
  const push = stream.push.bind(stream);
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
    if (!areTooMany()) return push(copied(piece));
    close();
    return false;
  };
  if (areTooMany()) close();
}

/**
 * Copies a small piece, so that the buffer it was read with can be freed. Overwrites the original, which may contain
 * secret values.
 */
function copied(piece: Buffer): Buffer {
  if (piece.length >= PIECE_BYTES) return piece;
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  piece.fill(0);
  return copy;
}
