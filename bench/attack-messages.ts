import { gzipSync } from "node:zlib";
import { MAX_RECEIVE_BYTES } from "../src/contract/limits.ts";
import { grpcMessage, secretPath } from "./request.ts";

// Requests that cost a server much more to decode than to receive. Those with a path come in two orders: protobuf allows
// any, so that the path may be the first or the last field that the server reads.

/** Field 1 of Put and Delete. The policy lets only the polite client write or delete it. */
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

/** A reflection request with {@link ELEMENTS} messages in field 5: each is decoded, and the last one counts. */
export function reflection(): Buffer {
  return Buffer.alloc(2 * ELEMENTS, field(5, Buffer.alloc(0)));
}

/** A Put as large as the server takes. What follows its path is not valid protobuf: it is never sent to the end. */
export function largePut(): Buffer {
  return Buffer.concat([PATH, Buffer.alloc(MAX_RECEIVE_BYTES - PATH.length)]);
}

/** gRPC's frame around a message that is compressed by gzip. */
export function compressed(body: Buffer): Buffer {
  const message = grpcMessage(gzipSync(body));
  message[0] = 1; // Compressed-Flag (gRPC over HTTP/2, "Length-Prefixed-Message")
  return message;
}

function inBothOrders(rest: Buffer): readonly Buffer[] {
  return [Buffer.concat([PATH, rest]), Buffer.concat([rest, PATH])];
}

/** A field with a length below 128. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(number * 8 + 2, content.length), content]);
}
