import type { ServerHttp2Stream } from "node:http2";
import { unreadChunks } from "./unread-chunks.ts";

type Written = (error: Error | null | undefined) => void;

/**
 * What a stream carried in either direction, so that it can be overwritten: grpc-js copies a message out of the chunks that
 * HTTP/2 hands over, and an answer into a buffer of its own, and leaves both to the garbage collector, which frees memory
 * and does not clear it.
 */
export class CarriedBytes {
  readonly #stream: ServerHttp2Stream;
  #arrived: Uint8Array[] = [];

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  /**
   * Reads all that has arrived; null when that is nothing. Node 26 hands out one chunk at a time. Before, when there is
   * more than one, node:http2 makes a copy of them.
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

  /** The request will be read by others, from its beginning. `exceeded` is called when it is longer than `length` bytes. */
  follow(length: number, exceeded: () => void): void {
    let left = length;
    this.#stream.on("data", (chunk: Uint8Array) => {
      this.#arrived.push(chunk);
      const had = left;
      left -= chunk.length;
      if (had >= 0 && left < 0) exceeded();
    });
  }

  /** The answer is about to be written, in one piece. It is overwritten when the session has given it to its socket. */
  expectAnswer(): void {
    const write = this.#stream.write.bind(this.#stream) as (chunk: Uint8Array, written: Written) => boolean;
    this.#stream.write = ((chunk: Uint8Array, written: Written) =>
      write(chunk, (error) => {
        chunk.fill(0);
        written(error);
      })) as ServerHttp2Stream["write"];
  }

  /** Overwrites the request, which is whole by now and was copied. */
  wipeRequest(): void {
    for (const chunk of this.#arrived) chunk.fill(0);
    this.#arrived = [];
  }
}
