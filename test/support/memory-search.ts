import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** The largest block of memory that is read at once, in bytes. */
const PIECE = 8 * 1024 * 1024;

/**
 * Finds a mark in the memory of a process that may be traced, such as a child, and returns the `length` characters
 * after each occurrence. Searches all writable memory, in use or freed. Mark and characters must be shorter than a
 * page.
 */
export function markedInMemory(pid: number, mark: Buffer, length: number): Set<string> {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    const found = new Set<string>();
    for (const { start, end } of writableRegions(pid)) {
      for (const piece of piecesOf(memory, start, end)) collect(piece, mark, length, found);
    }
    return found;
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

/** The blocks overlap, so that no mark is split between two of them. */
function* piecesOf(memory: number, start: number, end: number): Generator<Buffer> {
  const overlap = 4096;
  for (let at = start; at < end; at += PIECE - overlap) {
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
