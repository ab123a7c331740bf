/** The running checksum of SQLite's log: two 32-bit words, as signed integers. */
export interface Checksum {
  readonly first: number;
  readonly second: number;
}

/** The initial checksum, before the header of a log. */
export const START: Checksum = { first: 0, second: 0 };

/**
 * Continues a checksum over bytes whose length is a multiple of 8 (sqlite.org/fileformat2.html, section 4.2). The words
 * are read in the byte order that the magic number of the log specifies.
 */
export function continueChecksum(from: Checksum, bytes: DataView, littleEndian: boolean): Checksum {
  let { first, second } = from;
  for (let at = 0; at < bytes.byteLength; at += 8) {
    first = (first + bytes.getInt32(at, littleEndian) + second) | 0;
    second = (second + bytes.getInt32(at + 4, littleEndian) + first) | 0;
  }
  return { first, second };
}

/** Reads the checksum at an offset. Stored checksums are big-endian in every log. */
export function storedChecksum(bytes: DataView, at: number): Checksum {
  return { first: bytes.getInt32(at), second: bytes.getInt32(at + 4) };
}

export function sameChecksum(left: Checksum, right: Checksum): boolean {
  return left.first === right.first && left.second === right.second;
}
