import { bytes, message } from "../src/contract/message.ts";
import { getRequest, putRequest } from "../src/contract/messages.ts";
import { FrameFlag, FrameType, frame } from "./frame.ts";
import type { Operation, Protocol } from "./job.ts";

/** The size of every value in the benchmark, in bytes. */
export const VALUE_BYTES = 256;

/** The key of the value, in servers whose secrets have keys. */
export const VALUE_KEY = "value";

const VALUE = Buffer.alloc(VALUE_BYTES, "not a real secret, ");

/** The path of the n-th secret. All paths have the same length, which a template requires. */
export function secretPath(n: number): string {
  return `bench/${String(n).padStart(DIGITS, "0")}`;
}

const DIGITS = 9;

/**
 * The bytes of one request on the wire, encoded beforehand. Each call only writes the stream's id and the number in the
 * path, so the client needs much less CPU time than the server.
 */
export class RequestTemplate {
  /** The size of the whole request in bytes, HEADERS and DATA frame. */
  readonly size: number;
  /** The bytes that HTTP/2's flow control counts: the payload of the DATA frame. */
  readonly flowControlled: number;
  /**
   * The minimum size of a valid reply's DATA frames in bytes. A reply of etcd that found nothing is smaller, and has
   * the status OK as well.
   */
  readonly leastReply: number;
  readonly #frames: Buffer;
  readonly #dataFrame: number;
  readonly #digits: number;

  constructor(protocol: Protocol, operation: Operation, authority: string) {
    const { method, body } = CALLS[protocol][operation];
    const headers = frame(FrameType.headers, FrameFlag.endHeaders, 0, requestHeaders(authority, method));
    const data = frame(FrameType.data, FrameFlag.endStream, 0, grpcMessage(body));
    this.#frames = Buffer.concat([headers, data]);
    this.#dataFrame = headers.length;
    this.#digits = this.#frames.lastIndexOf(secretPath(0)) + secretPath(0).length - DIGITS;
    this.size = this.#frames.length;
    this.flowControlled = data.length - FRAME_HEADER;
    this.leastReply = operation === "get" ? VALUE_BYTES : 1;
  }

  /** Writes the request for secret `n` on stream `id` at `offset`. Returns the offset after it. */
  write(target: Buffer, offset: number, id: number, n: number): number {
    this.#frames.copy(target, offset);
    target.writeUInt32BE(id, offset + STREAM_ID);
    target.writeUInt32BE(id, offset + this.#dataFrame + STREAM_ID);
    let rest = n;
    for (let digit = offset + this.#digits + DIGITS - 1; rest > 0; digit--) {
      target[digit] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return offset + this.size;
  }
}

const FRAME_HEADER = 9;
const STREAM_ID = 5;
const ZERO = "0".charCodeAt(0);

/** The fields of KV.Put and KV.Range in etcd's rpc.proto. Both have the field `key`; only KV.Put has `value`. */
const etcdKeyValue = message<{ key: Uint8Array; value: Uint8Array }>({
  key: bytes(1, "key"),
  value: bytes(2, "value"),
});

const FIRST = secretPath(0);

const CALLS: Record<Protocol, Record<Operation, { readonly method: string; readonly body: Buffer }>> = {
  coffer: {
    get: { method: "/coffer.v1.Secrets/Get", body: getRequest.encode(getRequest.of({ path: FIRST, version: 0 })) },
    put: {
      method: "/coffer.v1.Secrets/Put",
      body: putRequest.encode(
        putRequest.of({
          path: FIRST,
          data: [{ key: VALUE_KEY, value: VALUE }],
          binaryData: [],
          expectedVersion: undefined,
        }),
      ),
    },
  },
  etcd: {
    get: {
      method: "/etcdserverpb.KV/Range",
      body: etcdKeyValue.encode({ key: Buffer.from(FIRST), value: Buffer.alloc(0) }),
    },
    put: { method: "/etcdserverpb.KV/Put", body: etcdKeyValue.encode({ key: Buffer.from(FIRST), value: VALUE }) },
  },
};

/** A gRPC frame with an uncompressed message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function grpcMessage(body: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/**
 * The headers of a gRPC request (gRPC over HTTP/2, "Requests"). They use literals without indexing (RFC 7541, section
 * 6.2.2) and no dynamic table, so that they are the same bytes in every request.
 */
export function requestHeaders(authority: string, path: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x83, 0x87]), // :method POST and :scheme https, complete entries of the static table
    Buffer.from([0x01]), // :authority
    plainString(authority),
    Buffer.from([0x04]), // :path
    plainString(path),
    Buffer.from([0x0f, 0x10]), // content-type, entry 31: 15 in the prefix and 16 in the next byte
    plainString("application/grpc"),
    Buffer.from([0x00]),
    plainString("te"),
    plainString("trailers"),
  ]);
}

/** Encodes a string of less than 127 bytes without Huffman code. */
function plainString(text: string): Buffer {
  return Buffer.from([text.length, ...Buffer.from(text)]);
}
