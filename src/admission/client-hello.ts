import type { Socket } from "node:net";

// RFC 8446 5.1: a record is its type, a legacy version, a length of two bytes, and that many bytes.
const HANDSHAKE_RECORD = 22;
const RECORD_HEADER = 5;

// The largest record that a peer may send in plain text (RFC 8446 5.1).
const MAX_RECORD = 2 ** 14;

/** What the first bytes of a connection are. */
type Beginning = "incomplete" | "hello" | "not TLS";

/**
 * Waits until the first TLS record of a connection is here, and puts it back to be read. Only then does a handshake cost
 * anything: peers that say nothing, or stop halfway, never get that far. `notTls` is called for other protocols.
 */
export function awaitClientHello(socket: Socket, complete: () => void, notTls: () => void): void {
  let received = Buffer.alloc(0);
  const onReadable = () => {
    for (let part = socket.read(); part !== null; part = socket.read()) received = Buffer.concat([received, part]);
    const beginning = beginningOf(received);
    if (beginning === "incomplete") return;
    socket.off("readable", onReadable);
    if (beginning === "not TLS") return notTls();
    socket.unshift(received);
    complete();
  };
  socket.on("readable", onReadable);
}

function beginningOf(bytes: Buffer): Beginning {
  if (bytes.length === 0) return "incomplete";
  if (bytes[0] !== HANDSHAKE_RECORD) return "not TLS";
  if (bytes.length < RECORD_HEADER) return "incomplete";
  const length = bytes.readUInt16BE(3);
  if (length > MAX_RECORD) return "not TLS";
  return bytes.length < RECORD_HEADER + length ? "incomplete" : "hello";
}
