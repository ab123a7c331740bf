import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** The largest block of memory that is read at once, in bytes. */
const PIECE = 8 * 1024 * 1024;

/** How many bytes two consecutive blocks share. A mark that one block cuts off is complete in the other block. */
const OVERLAP = 4096;

/**
 * Finds a mark in the memory of a process that may be traced, such as a child, and returns the `length` characters
 * after each occurrence. Searches all writable memory, in use or freed. The mark and the characters together must not be
 * longer than {@link OVERLAP}. The end of a block can cut off the characters, so the set can also contain shorter strings.
 */
export function markedInMemory(pid: number, mark: Buffer, length: number): Set<string> {
  const found = new Set<string>();
  searchMemory(pid, (piece) => collect(piece, mark, length, found));
  return found;
}

/** The elements of `all` that occur in the memory of such a process. None may be longer than {@link OVERLAP}. */
export function foundInMemory(pid: number, all: readonly Buffer[]): ReadonlySet<Buffer> {
  const found = new Set<Buffer>();
  searchMemory(pid, (piece) => {
    for (const bytes of all) if (!found.has(bytes) && piece.includes(bytes)) found.add(bytes);
  });
  return found;
}

function searchMemory(pid: number, search: (piece: Buffer) => void): void {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const { start, end } of writableRegions(pid)) {
      for (const piece of piecesOf(memory, start, end)) search(piece);
    }
  } finally {
    closeSync(memory);
  }
}

function collect(piece: Buffer, mark: Buffer, length: number, found: Set<string>): void {
  for (let at = piece.indexOf(mark); at !== -1; at = piece.indexOf(mark, at + 1)) {
    const behind = at + mark.length;
    found.add(piece.toString("latin1", behind, behind + length));
  }
}

function writableRegions(pid: number): { start: number; end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      return start === undefined || end === undefined
        ? []
        : [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
    });
}

function* piecesOf(memory: number, start: number, end: number): Generator<Buffer> {
  for (let at = start; at < end; at += PIECE - OVERLAP) {
    yield readPiece(memory, at, Math.min(PIECE, end - at));
  }
}

/** Empty if the region is no longer mapped, or can't be read. */
function readPiece(memory: number, at: number, length: number): Buffer {
  const piece = Buffer.alloc(length);
  try {
    return piece.subarray(0, readSync(memory, piece, 0, length, at));
  } catch {
    return Buffer.alloc(0);
  }
}
