/** A compressed-flag and a length of four bytes before each message ("Length-Prefixed-Message" in gRPC over HTTP/2). */
export const PREFIX_BYTES = 5;

/** Writes the prefix of an uncompressed message into the first bytes of `framed`; the message is the rest of it. */
export function writePrefix(framed: Buffer): void {
  framed[0] = 0;
  framed.writeUInt32BE(framed.length - PREFIX_BYTES, 1);
}
