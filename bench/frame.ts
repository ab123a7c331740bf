/** The HTTP/2 frames (RFC 9113, section 6) that a gRPC client receives. */
export const FrameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** The flags of these frames. */
export const FrameFlag = { none: 0, ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** A received frame. `payload` is a view that is valid only during the callback. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** 0 for the connection itself. */
  readonly streamId: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;

/** Encodes one frame. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** Splits the bytes of a connection into frames. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** Calls `take` for each frame that this chunk completes. */
  push(chunk: Buffer, take: (frame: Frame) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    while (offset + HEADER_BYTES <= bytes.length) {
      const end = offset + HEADER_BYTES + bytes.readUIntBE(offset, 3);
      if (end > bytes.length) break;
      take({
        type: bytes[offset + 3]!,
        flags: bytes[offset + 4]!,
        streamId: bytes.readUInt32BE(offset + 5) & 0x7fff_ffff,
        payload: bytes.subarray(offset + HEADER_BYTES, end),
      });
      offset = end;
    }
    this.#rest = bytes.subarray(offset);
  }
}
