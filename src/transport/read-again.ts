import type { TLSSocket } from "node:tls";

/** The part of a socket that reads. It is private, so a test holds each release of Node to it. */
interface Reader {
  readonly _handle?: { readStart?(): unknown } | null;
}

/** Has Node read from a socket that its HTTP/2 session stopped reading. Nothing changes when it is being read. */
export function readAgain(socket: TLSSocket): void {
  (socket as unknown as Reader)._handle?.readStart?.();
}
