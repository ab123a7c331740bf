import type { Socket } from "node:net";

// RFC 8446 5.1: a record is its type, a legacy version, a length of two bytes, and that many bytes.
const HANDSHAKE_RECORD = 22;
const RECORD_HEADER = 5;

// The largest record that a peer may send in plain text (RFC 8446 5.1).
const MAX_RECORD = 2 ** 14;

/** What the bytes received so far contain. "hello": a complete first record. */
type FirstRecord = "incomplete" | "hello" | "not TLS";

/**
 * Waits until the first TLS record of a connection has arrived completely, then puts it back into the socket and calls
 * `complete`. The first record usually contains the whole ClientHello, but a client may split its ClientHello over
 * several records. A peer that sends nothing, or stops in the middle of the first record, therefore causes no handshake
 * work. Calls `notTls` if the bytes are of another protocol.
 */
export function awaitClientHello(socket: Socket, complete: () => void, notTls: () => void): void {
  let received = Buffer.alloc(0);
  const onReadable = () => {
    for (let part = socket.read(); part !== null; part = socket.read()) received = Buffer.concat([received, part]);
    const record = firstRecord(received);
    if (record === "incomplete") return;
    socket.off("readable", onReadable);
    if (record === "not TLS") return notTls();
    socket.unshift(received);
    complete();
  };
  socket.on("readable", onReadable);
}

function firstRecord(bytes: Buffer): FirstRecord {
  if (bytes.length === 0) return "incomplete";
  if (bytes[0] !== HANDSHAKE_RECORD) return "not TLS";
  if (bytes.length < RECORD_HEADER) return "incomplete";
  const length = bytes.readUInt16BE(3);
  if (length > MAX_RECORD) return "not TLS";
  return bytes.length < RECORD_HEADER + length ? "incomplete" : "hello";
}
