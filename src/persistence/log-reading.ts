import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { Checksum } from "./log-checksum.ts";
import { markOn } from "./log-mark.ts";
import {
  continues,
  type Frame,
  framesOf,
  LOG_HEADER_BYTES,
  type LogHeader,
  parseLogHeader,
  type Salts,
  sameSalts,
  TRIAL,
} from "./log-frame.ts";

/**
 * The result of reading a log. The log is read without SQLite, because SQLite takes the first invalid frame for the end
 * of the log.
 */
export type LogReading =
  /** There is no file, or it is empty. */
  | { readonly kind: "empty" }
  /** `log` has every acknowledged commit. At most one incomplete commit follows it. */
  | { readonly kind: "intact"; readonly log: CommittedLog }
  /**
   * Acknowledged commits can no longer be read. `why` is the reason, which follows the name of the log in a message.
   */
  | { readonly kind: "damaged"; readonly why: string };

/** The committed pages of a log. */
export interface CommittedLog {
  readonly pageSize: number;
  /** The size of the database in pages after the last commit; 0 if the log has no commit. */
  readonly pages: number;
  /** The number of frames of all commits, and the offset of their end in the file. */
  readonly frames: number;
  readonly end: number;
  /** The offset of each page's content in the file: of the first commit that wrote the page, and of the last. */
  readonly first: ReadonlyMap<number, number>;
  readonly last: ReadonlyMap<number, number>;
}

/** A log without a commit. */
export function emptyLog(pageSize: number): CommittedLog {
  return { pageSize, pages: 0, frames: 0, end: 0, first: new Map(), last: new Map() };
}

/** Reads a log and checks it. `pageSize` is the page size of its database. Throws errors of the file system. */
export function readLog(file: string, pageSize: number): LogReading {
  const descriptor = openLog(file);
  if (descriptor === undefined) return { kind: "empty" };
  try {
    const { size } = fstatSync(descriptor);
    return size === 0 ? { kind: "empty" } : readFrames(descriptor, size, pageSize);
  } finally {
    closeSync(descriptor);
  }
}

function openLog(file: string): number | undefined {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function readFrames(descriptor: number, size: number, pageSize: number): LogReading {
  const bytes = Buffer.alloc(LOG_HEADER_BYTES);
  readSync(descriptor, bytes, 0, LOG_HEADER_BYTES, 0);
  const header = parseLogHeader(bytes);
  if (bytes.equals(TRIAL)) return withoutCommits(pageSize);
  // SQLite syncs the header before it writes the first frame, and a disk writes a sector completely. So a power failure
  // never leaves frames after a damaged header.
  if (header === undefined)
    return size <= LOG_HEADER_BYTES ? withoutCommits(pageSize) : damaged("has a damaged header");
  if (header.pageSize !== pageSize)
    return damaged(`has pages of ${header.pageSize} bytes, and its database has pages of ${pageSize} bytes`);
  return new FrameCheck(header).read(framesOf(descriptor, size, pageSize));
}

function damaged(why: string): LogReading {
  return { kind: "damaged", why };
}

function withoutCommits(pageSize: number): LogReading {
  return { kind: "intact", log: emptyLog(pageSize) };
}

/** The first frame that does not continue the log. */
interface Break {
  readonly index: number;
  /** Whether its header says that it ends a commit of this generation of the log. */
  readonly endsCommit: boolean;
}

/**
 * Reads the frames of one log. Each commit is synced before the next one begins. So a power failure can break only
 * frames of the last commit, and after a broken frame there is at most the end of that same commit, with the next
 * number. The end of any later commit after a broken frame, or a later number, proves damage.
 */
class FrameCheck {
  readonly #header: LogHeader;
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();
  /** The pages of the commit whose last frame has not been read yet. */
  #pending: [page: number, at: number][] = [];
  #pendingNumber: bigint | undefined;
  #pages = 0;
  #frames = 0;
  #end = 0;
  #break: Break | undefined;
  /** How many commits end after the break: of this generation of the log, and of a log with another header. */
  #commitsAfter = 0;
  #foreignCommits = 0;
  /** The highest commit number before the break, and after it. */
  #number: bigint | undefined;
  #numberAfter = 0n;

  constructor(header: LogHeader) {
    this.#header = header;
  }

  read(frames: Iterable<Frame>): LogReading {
    let before: { readonly checksum: Checksum; readonly salts: Salts } = this.#header;
    for (const frame of frames) {
      const isNext = sameSalts(frame.salts, before.salts) && continues(frame, before.checksum, this.#littleEndian);
      if (this.#break === undefined && isNext) this.#take(frame);
      else this.#checkAfterBreak(frame, isNext);
      before = { checksum: frame.checksum, salts: frame.salts };
    }
    return this.#verdict();
  }

  get #littleEndian(): boolean {
    return this.#header.littleEndian;
  }

  #take(frame: Frame): void {
    this.#pending.push([frame.page, frame.pageAt]);
    this.#pendingNumber = numberOn(frame) ?? this.#pendingNumber;
    if (frame.sizeAfter === 0) return;
    this.#number = this.#pendingNumber;
    for (const [page, at] of this.#pending) {
      if (!this.#first.has(page)) this.#first.set(page, at);
      this.#last.set(page, at);
    }
    this.#pending = [];
    this.#pages = frame.sizeAfter;
    this.#frames = frame.index + 1;
    this.#end = frame.pageAt + this.#header.pageSize;
  }

  #checkAfterBreak(frame: Frame, isNext: boolean): void {
    const { salts } = this.#header;
    if (this.#break === undefined) {
      // One of the two salts may be the damaged part. A frame of an older generation has neither of them.
      const isCurrent = frame.salts.first === salts.first || frame.salts.second === salts.second;
      this.#break = { index: frame.index, endsCommit: isCurrent && frame.sizeAfter !== 0 };
      return;
    }
    // The mark is read even if the checksum of the frame is wrong: no other page looks like the page with the mark.
    if (sameSalts(frame.salts, salts)) this.#numberAfter = max(this.#numberAfter, numberOn(frame) ?? 0n);
    if (isNext && frame.sizeAfter !== 0) {
      if (sameSalts(frame.salts, salts)) this.#commitsAfter += 1;
      else if (!this.#isOlder(frame.salts)) this.#foreignCommits += 1;
    }
  }

  /** A restart of the log leaves frames of older generations in the file. All of them are in the database. */
  #isOlder({ first }: Salts): boolean {
    const restarts = (this.#header.salts.first - first) >>> 0;
    return restarts >= 1 && restarts <= this.#header.restarts;
  }

  #verdict(): LogReading {
    const { index = 0, endsCommit = false } = this.#break ?? {};
    const laterCommits = this.#commitsAfter - (endsCommit ? 0 : 1);
    const isSkipped = this.#number !== undefined && this.#numberAfter > this.#number + 1n;
    if (laterCommits > 0 || isSkipped) return damaged(`is damaged at frame ${index + 1}, before its last commit`);
    if (this.#foreignCommits > 0) return damaged("has the header of another log");
    const log = { pages: this.#pages, frames: this.#frames, end: this.#end, first: this.#first, last: this.#last };
    return { kind: "intact", log: { pageSize: this.#header.pageSize, ...log } };
  }
}

/** The commit number on a frame with the mark; undefined for any other frame. */
function numberOn({ content }: Frame): bigint | undefined {
  return markOn(Buffer.from(content.buffer, content.byteOffset, content.byteLength))?.number;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
