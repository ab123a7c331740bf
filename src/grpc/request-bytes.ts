import type { ServerHttp2Stream } from "node:http2";
import { hasOneChunk, unreadChunks } from "./unread-chunks.ts";

const NOTHING = Buffer.alloc(0);

/**
 * The bytes of a request that were read from its stream. They contain secret values, so every buffer that held them is
 * overwritten: those that node:http2 delivers when they are copied, and the last one when the call has been decoded or is
 * closed. The garbage collector does not overwrite the memory that it frees.
 */
export class RequestBytes {
  readonly #stream: ServerHttp2Stream;
  #bytes: Buffer = NOTHING;
  #length = 0;
  /** The length of the whole request. */
  #expected = 0;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /** What was read so far. */
  get bytes(): Buffer {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }

  /** How many bytes of the expected ones were not read yet. Negative if more were read. */
  get missing(): number {
    return this.#expected - this.#length;
  }

  /** The request is admitted, and has `length` bytes: from now on they are collected in one buffer of this length. */
  expect(length: number): void {
    this.#expected = length;
    if (length <= this.#bytes.length) return;
    const whole = Buffer.allocUnsafeSlow(length);
    this.#bytes.copy(whole);
    this.#bytes.fill(0);
    this.#bytes = whole;
  }

  /** Reads all bytes that have arrived. */
  read(): void {
    const stream = this.#stream;
    // Before Node 26, read() copies several chunks into one, so they have to be found first.
    const chunks = hasOneChunk(stream) ? undefined : unreadChunks(stream);
    for (let part = stream.read() as Buffer | null; part !== null; part = stream.read() as Buffer | null)
      this.#add(part);
    if (chunks !== undefined) for (const chunk of chunks) if (chunk !== this.#bytes) chunk.fill(0);
  }

  /** Overwrites the request. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#bytes = NOTHING;
    this.#length = 0;
  }

  #add(part: Buffer): void {
    const length = this.#length + part.length;
    if (this.#length === 0 && this.#bytes.length === 0) this.#bytes = part;
    else {
      if (length > this.#bytes.length) this.#grow(length);
      this.#bytes.set(part, this.#length);
      part.fill(0);
    }
    this.#length = length;
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(length);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}
