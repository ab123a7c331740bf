import type { ServerHttp2Stream } from "node:http2";
import { unreadChunks } from "./unread-chunks.ts";

type Written = (error: Error | null | undefined) => void;

/**
 * Overwrites the bytes that a stream carried in either direction. grpc-js copies a message out of the chunks that
 * node:http2 delivers, and an answer into its own buffer. It leaves the chunks and the buffer to the garbage collector,
 * which does not overwrite the memory that it frees.
 */
export class CarriedBytes {
  readonly #stream: ServerHttp2Stream;
  #arrived: Uint8Array[] = [];

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /**
   * Reads all bytes that have arrived and were not read before. Returns null if there are none. Node 26 returns one
   * chunk at a time. Earlier releases copy several chunks into one.
   */
  read(): Buffer | null {
    this.#arrived.push(...unreadChunks(this.#stream));
    const parts: Buffer[] = [];
    for (let part = this.#stream.read(); part !== null; part = this.#stream.read()) parts.push(part as Buffer);
    const bytes = parts.length > 1 ? Buffer.concat(parts) : parts[0];
    if (bytes === undefined) return null;
    this.#arrived.push(...parts, bytes);
    return bytes;
  }

  /**
   * Records the chunks that grpc-js reads from now on. Calls `exceeded` if the request is longer than `length` bytes.
   */
  follow(length: number, exceeded: () => void): void {
    let left = length;
    this.#stream.on("data", (chunk: Uint8Array) => {
      this.#arrived.push(chunk);
      const had = left;
      left -= chunk.length;
      if (had >= 0 && left < 0) exceeded();
    });
  }

  /**
   * Overwrites the answer as soon as the session has passed it to its socket. Call it before grpc-js writes the answer,
   * which is one chunk.
   */
  expectAnswer(): void {
    const write = this.#stream.write.bind(this.#stream) as (chunk: Uint8Array, written: Written) => boolean;
    this.#stream.write = ((chunk: Uint8Array, written: Written) =>
      write(chunk, (error) => {
        chunk.fill(0);
        written(error);
      })) as ServerHttp2Stream["write"];
  }

  /** Overwrites the request. Call it after the complete request has been copied. */
  wipeRequest(): void {
    for (const chunk of this.#arrived) chunk.fill(0);
    this.#arrived = [];
  }
}
