import type { ServerHttp2Stream } from "node:http2";
import type { ServerInterceptingCall, ServerInterceptor } from "@grpc/grpc-js";

/**
 * Overwrites what the streams of one service carried, when each of them is closed: grpc-js copies a message out of the
 * chunks that HTTP/2 hands over, and an answer into a buffer of its own, and leaves both to the garbage collector, which
 * frees memory and does not clear it. A stream that is closed has nothing left to read or to send.
 *
 * grpc-js has no public way to a call's stream. Without one nothing is overwritten; a test looks for values in memory.
 */
export function wipingStreams(service: string): ServerInterceptor {
  return ({ path }, call) => {
    const { stream } = call as { readonly stream?: ServerHttp2Stream };
    if (stream !== undefined && path.startsWith(`/${service}/`)) wipeWhenClosed(stream);
    return call as ServerInterceptingCall;
  };
}

/**
 * What has arrived is held by the stream until it is read, and read as one when it is more than one chunk: both are
 * overwritten. The property is Node's, and not in its documentation.
 */
function wipeWhenClosed(stream: ServerHttp2Stream & { readonly readableBuffer?: Iterable<Uint8Array> }): void {
  const arrived: (Uint8Array | null)[] = [...(stream.readableBuffer ?? [])];
  const push = stream.push.bind(stream);
  stream.push = (chunk: Uint8Array | null, ...rest) => {
    arrived.push(chunk);
    return push(chunk, ...rest);
  };
  stream.on("data", (chunk: Uint8Array) => arrived.push(chunk));
  const sent: Uint8Array[] = [];
  const write = stream.write.bind(stream) as (chunk: Uint8Array, ...rest: unknown[]) => boolean;
  stream.write = (chunk: Uint8Array, ...rest: unknown[]): boolean => {
    sent.push(chunk);
    return write(chunk, ...rest);
  };
  // By then every message is whole, and a copy. Not only at the close: a Put may wait for its commit.
  stream.once("end", () => wipe(arrived));
  stream.once("close", () => {
    wipe(arrived);
    wipe(sent);
  });
}

function wipe(chunks: (Uint8Array | null)[]): void {
  for (const chunk of chunks.splice(0)) chunk?.fill(0);
}
