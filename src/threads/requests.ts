import type { SecretPath } from "../domain/secret-path.ts";
import type { DeleteCommand, PutCommand } from "../store/operation.ts";
import { DELETE, PUT } from "./change-kind.ts";
import { ColumnReader, ColumnWriter, type Columns } from "./columns.ts";

/** A requested change. `id` identifies it among those of the same front. */
export type ChangeRequest =
  | { readonly kind: "put"; readonly id: number; readonly command: PutCommand }
  | { readonly kind: "delete"; readonly id: number; readonly command: DeleteCommand };

/** What a front sends to the store thread: the changes that its callers requested in one turn of the event loop. */
export interface ChangesMessage {
  readonly requests: Columns;
  /** The plaintexts of all Puts, one after the other. The buffer is transferred, and the receiver overwrites it. */
  readonly plaintexts: ArrayBuffer;
}

/** The expected version of a request that accepts any. */
const ANY = -1;

/** Encodes requests. The plaintexts move into a buffer of their own, and the originals are overwritten. */
export function encodeRequests(requests: readonly ChangeRequest[]): ChangesMessage {
  const writer = new ColumnWriter();
  for (const request of requests) writeRequest(writer, request);
  const plaintexts = requests.flatMap(({ kind, command }) => (kind === "put" ? [command.plaintext] : []));
  return { requests: writer.end(), plaintexts: joined(plaintexts) };
}

/** Decodes requests. Their plaintexts are views into the buffer of the message. */
export function decodeRequests({ requests, plaintexts }: ChangesMessage): ChangeRequest[] {
  const reader = new ColumnReader(requests);
  const decoded: ChangeRequest[] = [];
  let at = 0;
  const plaintext = (length: number) => {
    at += length;
    return Buffer.from(plaintexts, at - length, length);
  };
  while (!reader.isOver) decoded.push(readRequest(reader, plaintext));
  return decoded;
}

function writeRequest(writer: ColumnWriter, { kind, id, command }: ChangeRequest): void {
  writer.number(kind === "put" ? PUT : DELETE);
  writer.number(id);
  writer.text(command.path);
  writer.sharedText(command.author);
  writer.number(command.expectedVersion ?? ANY);
  if (kind === "put") writer.number(command.plaintext.length);
  else writer.numbers(command.versions);
}

function readRequest(reader: ColumnReader, plaintext: (length: number) => Buffer): ChangeRequest {
  const kind = reader.number();
  const id = reader.number();
  const common = { path: reader.text() as SecretPath, author: reader.text(), expectedVersion: readExpected(reader) };
  if (kind === DELETE) return { kind: "delete", id, command: { ...common, versions: reader.numbers() } };
  return { kind: "put", id, command: { ...common, plaintext: plaintext(reader.number()) } };
}

function readExpected(reader: ColumnReader): number | undefined {
  const version = reader.number();
  return version === ANY ? undefined : version;
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
