import { readSync } from "node:fs";
import { type Checksum, continueChecksum, START, sameChecksum, storedChecksum } from "./log-checksum.ts";

/** The size of the header of a log and of the header of each frame (sqlite.org/fileformat2.html, section 4.1). */
export const LOG_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;

/**
 * The first bytes of an empty log while the server writes trial bytes to find out whether there is space
 * (disk-space.ts).
 */
export const TRIAL = Buffer.from("coffer: no frames, a trial only.", "latin1");

/** The magic number of a log without its last bit, which specifies the byte order of the checksums. */
const MAGIC = 0x377f0682;
const FORMAT = 3_007_000;

/** The number of bytes to read at a time. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Two words that all frames of one generation of the log share. SQLite adds 1 to `first` at each restart of the log.
 */
export interface Salts {
  readonly first: number;
  readonly second: number;
}

/** The fields of an intact header of a log. */
export interface LogHeader {
  readonly pageSize: number;
  readonly littleEndian: boolean;
  /** The number of restarts of the log since its file was created. */
  readonly restarts: number;
  readonly salts: Salts;
  readonly checksum: Checksum;
}

/** One frame: the content of a page after a commit. The views are valid until the next frame is read. */
export interface Frame {
  /** The number of the frame, from 0. */
  readonly index: number;
  /** The offset of its page in the file. */
  readonly pageAt: number;
  readonly page: number;
  /** The size of the database in pages after the commit that ends with this frame; 0 if no commit ends with it. */
  readonly sizeAfter: number;
  readonly salts: Salts;
  readonly checksum: Checksum;
  /** The checksummed part of its header, and the content of its page. */
  readonly head: DataView;
  readonly content: DataView;
}

/** Parses the header of a log. Returns undefined if the bytes are not an intact header. */
export function parseLogHeader(bytes: Buffer): LogHeader | undefined {
  const view = viewOf(bytes, 0, LOG_HEADER_BYTES);
  const magic = view.getUint32(0);
  const littleEndian = (magic & 1) === 0;
  const checksum = storedChecksum(view, 24);
  const computed = continueChecksum(START, viewOf(bytes, 0, 24), littleEndian);
  const isIntact = (magic & ~1) === MAGIC && view.getUint32(4) === FORMAT && sameChecksum(computed, checksum);
  if (!isIntact) return undefined;
  const salts = { first: view.getUint32(16), second: view.getUint32(20) };
  return { pageSize: view.getUint32(8), littleEndian, restarts: view.getUint32(12), salts, checksum };
}

/**
 * Returns the complete frames of a log of `size` bytes, in order. A truncated last frame is left out. The copy of the log is
 * overwritten at the end.
 */
export function* framesOf(descriptor: number, size: number, pageSize: number): Generator<Frame> {
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  const count = Math.floor((size - LOG_HEADER_BYTES) / frameBytes);
  const perChunk = Math.max(1, Math.min(count, Math.floor(CHUNK_BYTES / frameBytes)));
  const chunk = Buffer.alloc(perChunk * frameBytes);
  for (let index = 0; index < count; index++) {
    const position = LOG_HEADER_BYTES + index * frameBytes;
    const inChunk = index % perChunk;
    if (inChunk === 0) readSync(descriptor, chunk, 0, chunk.length, position);
    yield frameAt(chunk, inChunk * frameBytes, { index, pageAt: position + FRAME_HEADER_BYTES, pageSize });
  }
  chunk.fill(0); // it is in memory until the garbage collector frees it
}

/** Whether the frame's checksum continues the checksum of the previous frame or of the header. */
export function continues(frame: Frame, before: Checksum, littleEndian: boolean): boolean {
  const head = continueChecksum(before, frame.head, littleEndian);
  return frame.page !== 0 && sameChecksum(continueChecksum(head, frame.content, littleEndian), frame.checksum);
}

export function sameSalts(left: Salts, right: Salts): boolean {
  return left.first === right.first && left.second === right.second;
}

function frameAt(
  chunk: Buffer,
  at: number,
  place: { readonly index: number; readonly pageAt: number; readonly pageSize: number },
): Frame {
  const view = viewOf(chunk, at, FRAME_HEADER_BYTES);
  return {
    index: place.index,
    pageAt: place.pageAt,
    page: view.getUint32(0),
    sizeAfter: view.getUint32(4),
    salts: { first: view.getUint32(8), second: view.getUint32(12) },
    checksum: storedChecksum(view, 16),
    head: viewOf(chunk, at, 8),
    content: viewOf(chunk, at + FRAME_HEADER_BYTES, place.pageSize),
  };
}

function viewOf(bytes: Buffer, at: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}
