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

/** The number of bytes to read at a time. They fit into the cache of a core. */
const CHUNK_BYTES = 64 * 1024;

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

/** One frame: the content of a page after a commit. It reads its fields when they are used, before the next frame is read. */
export class Frame {
  readonly #chunk: Buffer;
  readonly #at: number;
  readonly #pageSize: number;
  /** The number of the frame, from 0. */
  readonly index: number;

  /** The frame at an offset of a chunk of the log. */
  constructor(chunk: Buffer, at: number, pageSize: number, index: number) {
    this.#chunk = chunk;
    this.#at = at;
    this.#pageSize = pageSize;
    this.index = index;
  }

  /** The offset of its page in the file. */
  get pageAt(): number {
    return frameAt(this.index, this.#pageSize) + FRAME_HEADER_BYTES;
  }

  /** The number of its page. */
  get page(): number {
    return this.#chunk.readUInt32BE(this.#at);
  }

  /** The size of the database in pages after the commit that ends with this frame; 0 if no commit ends with it. */
  get sizeAfter(): number {
    return this.#chunk.readUInt32BE(this.#at + 4);
  }

  get salts(): Salts {
    return { first: this.#chunk.readUInt32BE(this.#at + 8), second: this.#chunk.readUInt32BE(this.#at + 12) };
  }

  get checksum(): Checksum {
    return storedChecksum(viewOf(this.#chunk, this.#at, FRAME_HEADER_BYTES), 16);
  }

  /** The checksummed part of its header. */
  get head(): DataView {
    return viewOf(this.#chunk, this.#at, 8);
  }

  /** The content of its page. */
  get content(): DataView {
    return viewOf(this.#chunk, this.#at + FRAME_HEADER_BYTES, this.#pageSize);
  }
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
    const inChunk = index % perChunk;
    if (inChunk === 0) readSync(descriptor, chunk, 0, chunk.length, frameAt(index, pageSize));
    yield new Frame(chunk, inChunk * frameBytes, pageSize, index);
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

/** The offset of a frame in the file. */
function frameAt(index: number, pageSize: number): number {
  return LOG_HEADER_BYTES + index * (FRAME_HEADER_BYTES + pageSize);
}

function viewOf(bytes: Buffer, at: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}
