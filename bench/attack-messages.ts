import { gzipSync } from "node:zlib";
import { MAX_RECEIVE_BYTES } from "../src/contract/limits.ts";
import { grpcMessage, secretPath } from "./request.ts";

// Requests that cost a server much more to decode than to receive. Protobuf allows any order of fields, so each request
// with a path exists twice: with the path as the first field and as the last.

/** Field 1 of Put and Delete. The policy lets only the well-behaved client write or delete this path. */
const PATH = field(1, Buffer.from(secretPath(0)));

/** How many empty elements fit into a request: a tag and a length, of one byte each. */
export const ELEMENTS = Math.floor((MAX_RECEIVE_BYTES - PATH.length) / 2);

/** The versions of one Delete. */
export const VERSIONS = 1_000_000;

/** Puts of {@link ELEMENTS} entries without key and value in field 2, a map. */
export function puts(): readonly Buffer[] {
  return inBothOrders(Buffer.alloc(2 * ELEMENTS, field(2, Buffer.alloc(0))));
}

/** Deletes of version 1, {@link VERSIONS} times in field 2, which is packed. */
export function deletes(): readonly Buffer[] {
  return inBothOrders(Buffer.concat([Buffer.of(0x12, 0xc0, 0x84, 0x3d), Buffer.alloc(VERSIONS, 1)]));
}

/** A reflection request with {@link ELEMENTS} messages in field 5. A decoder decodes all and returns the last. */
export function reflection(): Buffer {
  return Buffer.alloc(2 * ELEMENTS, field(5, Buffer.alloc(0)));
}

/**
 * A Put of the largest size that the server accepts. Only its path is valid protobuf. That is enough, because the
 * request is never sent completely.
 */
export function largePut(): Buffer {
  return Buffer.concat([PATH, Buffer.alloc(MAX_RECEIVE_BYTES - PATH.length)]);
}

/** A gRPC frame with a message that gzip has compressed. */
export function compressed(body: Buffer): Buffer {
  const message = grpcMessage(gzipSync(body));
  message[0] = 1; // Compressed-Flag (gRPC over HTTP/2, "Length-Prefixed-Message")
  return message;
}

function inBothOrders(rest: Buffer): readonly Buffer[] {
  return [Buffer.concat([PATH, rest]), Buffer.concat([rest, PATH])];
}

/** A length-delimited field of less than 128 bytes. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(number * 8 + 2, content.length), content]);
}
