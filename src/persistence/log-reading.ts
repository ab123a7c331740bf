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

/** What a log holds, read byte for byte without SQLite, which takes the first broken frame for the end. */
export type LogReading =
  /** There is no file, or it has no bytes. */
  | { readonly kind: "empty" }
  /** Every commit that was acknowledged is in `log`. What follows it, if anything, is one commit that was cut short. */
  | { readonly kind: "intact"; readonly log: CommittedLog }
  /** Acknowledged commits can't be read any more. `why` completes the sentence that the name of the log begins. */
  | { readonly kind: "damaged"; readonly why: string };

/** The committed pages of a log. */
export interface CommittedLog {
  readonly pageSize: number;
  /** The size of the database in pages after the last commit; 0: the log has no commit. */
  readonly pages: number;
  /** How many frames the commits have together, and where in the file they end. */
  readonly frames: number;
  readonly end: number;
  /** Where the content of each page lies in the file: as the first commit that wrote it left it, and as the last did. */
  readonly first: ReadonlyMap<number, number>;
  readonly last: ReadonlyMap<number, number>;
}

/** A log without a commit. */
export function emptyLog(pageSize: number): CommittedLog {
  return { pageSize, pages: 0, frames: 0, end: 0, first: new Map(), last: new Map() };
}

/** Reads and judges a log. `pageSize` is that of the database beside it. Throws what the file system says. */
export function readLog(file: string, pageSize: number): LogReading {
  const descriptor = openLog(file);
  if (descriptor === undefined) return { kind: "empty" };
  try {
    const { size } = fstatSync(descriptor);
    return size === 0 ? { kind: "empty" } : judge(descriptor, size, pageSize);
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

function judge(descriptor: number, size: number, pageSize: number): LogReading {
  const bytes = Buffer.alloc(LOG_HEADER_BYTES);
  readSync(descriptor, bytes, 0, LOG_HEADER_BYTES, 0);
  const header = parseLogHeader(bytes);
  if (bytes.equals(TRIAL)) return nothing(pageSize);
  // SQLite syncs the header before it writes the first frame, and a disk writes a sector whole: there is no power cut
  // after which frames follow a broken header.
  if (header === undefined) return size <= LOG_HEADER_BYTES ? nothing(pageSize) : damaged("has lost its header");
  if (header.pageSize !== pageSize)
    return damaged(`has pages of ${header.pageSize} bytes, the database of ${pageSize}`);
  return new Judgement(header).of(framesOf(descriptor, size, pageSize));
}

function damaged(why: string): LogReading {
  return { kind: "damaged", why };
}

function nothing(pageSize: number): LogReading {
  return { kind: "intact", log: emptyLog(pageSize) };
}

/** The first frame that does not continue the log. */
interface Break {
  readonly index: number;
  /** Whether it says of itself that it ends a commit of this generation of the log. */
  readonly endsCommit: boolean;
}

/**
 * Reads the frames of one log. Each commit is synced before the next one begins. So a power cut breaks frames of the
 * last commit only, and behind a frame that it broke lies at most the end of that same commit, with the number that
 * follows. The end of any later commit behind a broken frame, or a later number, proves damage.
 */
class Judgement {
  readonly #header: LogHeader;
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();
  /** The pages of the commit whose end has not come yet. */
  #pending: [page: number, at: number][] = [];
  #pendingNumber: bigint | undefined;
  #pages = 0;
  #frames = 0;
  #end = 0;
  #break: Break | undefined;
  /** Ends of commits behind the break: of this generation of the log, and of a log that this header is not of. */
  #commitsBehind = 0;
  #foreignCommits = 0;
  /** Of the commits before the break, and of those behind it. */
  #number: bigint | undefined;
  #numberBehind = 0n;

  constructor(header: LogHeader) {
    this.#header = header;
  }

  of(frames: Iterable<Frame>): LogReading {
    let before: { readonly checksum: Checksum; readonly salts: Salts } = this.#header;
    for (const frame of frames) {
      const isNext = sameSalts(frame.salts, before.salts) && continues(frame, before.checksum, this.#littleEndian);
      if (this.#break === undefined && isNext) this.#take(frame);
      else this.#lookBehind(frame, isNext);
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

  #lookBehind(frame: Frame, isNext: boolean): void {
    const { salts } = this.#header;
    if (this.#break === undefined) {
      // Of two salts one may be what is damaged. An older generation shares neither.
      const isCurrent = frame.salts.first === salts.first || frame.salts.second === salts.second;
      this.#break = { index: frame.index, endsCommit: isCurrent && frame.sizeAfter !== 0 };
      return;
    }
    // Whatever became of the checksum before it: no other page looks like that of a mark.
    if (sameSalts(frame.salts, salts)) this.#numberBehind = max(this.#numberBehind, numberOn(frame) ?? 0n);
    if (isNext && frame.sizeAfter !== 0) {
      if (sameSalts(frame.salts, salts)) this.#commitsBehind += 1;
      else if (!this.#isOlder(frame.salts)) this.#foreignCommits += 1;
    }
  }

  /** A restart of the log leaves the frames of older generations behind; all of them are in the database. */
  #isOlder({ first }: Salts): boolean {
    const restarts = (this.#header.salts.first - first) >>> 0;
    return restarts >= 1 && restarts <= this.#header.restarts;
  }

  #verdict(): LogReading {
    const { index = 0, endsCommit = false } = this.#break ?? {};
    const laterCommits = this.#commitsBehind - (endsCommit ? 0 : 1);
    const isSkipped = this.#number !== undefined && this.#numberBehind > this.#number + 1n;
    if (laterCommits > 0 || isSkipped)
      return damaged(`is broken at frame ${index + 1}, and has whole commits behind it`);
    if (this.#foreignCommits > 0) return damaged("has the header of another log");
    const log = { pages: this.#pages, frames: this.#frames, end: this.#end, first: this.#first, last: this.#last };
    return { kind: "intact", log: { pageSize: this.#header.pageSize, ...log } };
  }
}

/** The number of the commit that a frame belongs to, if it is that of the mark. */
function numberOn({ content }: Frame): bigint | undefined {
  return markOn(Buffer.from(content.buffer, content.byteOffset, content.byteLength))?.number;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
