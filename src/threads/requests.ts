import type { ChangeCommand } from "../store/command.ts";
import { plaintextsOf } from "../store/plaintexts.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";
import { readCommand, writeCommand } from "./command-columns.ts";

/** A requested change. `id` identifies it among those of the same front. */
export interface ChangeRequest {
  readonly id: number;
  readonly command: ChangeCommand;
}

/** What a front sends to the store thread: the changes that its callers requested in one turn of the event loop. */
export interface ChangesMessage {
  readonly requests: Columns;
  /** All plaintexts, one after the other. The buffer is transferred, and the receiver overwrites it. */
  readonly plaintexts: ArrayBuffer;
}

/** Encodes requests. The plaintexts move into a buffer of their own, and the originals are overwritten. */
export function encodeRequests(requests: readonly ChangeRequest[]): ChangesMessage {
  const writer = new ColumnWriter();
  const plaintexts: Buffer[] = [];
  for (const { id, command } of requests) {
    writer.number(id);
    writeCommand(writer, command);
    plaintexts.push(...plaintextsOf(command));
  }
  return { requests: writer.end(), plaintexts: joined(plaintexts) };
}

/** Decodes requests. Their plaintexts are views into the buffer of the message. */
export function decodeRequests({ requests, plaintexts }: ChangesMessage): ChangeRequest[] {
  const reader = new ColumnReader(requests);
  const decoded: ChangeRequest[] = [];
  let at = 0;
  const take = (length: number) => {
    at += length;
    return Buffer.from(plaintexts, at - length, length);
  };
  while (!reader.isOver) decoded.push({ id: reader.number(), command: readCommand(reader, take) });
  return decoded;
}

function joined(plaintexts: readonly Buffer[]): ArrayBuffer {
  const joined = new ArrayBuffer(plaintexts.reduce((sum, { length }) => sum + length, 0));
  const bytes = new Uint8Array(joined);
  let at = 0;
  for (const plaintext of plaintexts) {
    bytes.set(plaintext, at);
    at += plaintext.length;
    plaintext.fill(0);
  }
  return joined;
}
