import { WireReader, WireType } from "./wire.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * One file of a descriptor set, decoded only as far as server reflection requires. `bytes` is the FileDescriptorProto
 * as the compiler wrote it, so that no field is lost by decoding and encoding it again.
 */
export interface FileDescriptor {
  readonly name: string;
  /** The names of the imported files. */
  readonly dependencies: readonly string[];
  /** The full names of all declarations: messages, fields, oneofs, enums, their values, services and methods. */
  readonly symbols: readonly string[];
  readonly bytes: Buffer;
}

// Field numbers of google/protobuf/descriptor.proto.
const SET = { file: 1 };
const FILE = { name: 1, package: 2, dependency: 3, message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4, oneof: 8 };
const ENUM = { value: 2 };
const SERVICE = { method: 2 };
const NAME = 1;

/** The files of a serialized google.protobuf.FileDescriptorSet. Throws a WireError on anything else. */
export function fileDescriptors(set: Uint8Array): FileDescriptor[] {
  const files: FileDescriptor[] = [];
  eachField(set, (number, reader) => (number === SET.file ? files.push(fileDescriptor(reader.view())) : undefined));
  return files;
}

/** A serialized google.protobuf.FileDescriptorSet with these files. */
export function setOf(files: readonly FileDescriptor[]): Buffer {
  const writer = new WireWriter();
  for (const { bytes } of files) {
    writer.tag(SET.file, WireType.bytes);
    writer.bytes(bytes);
  }
  return writer.finish();
}

function fileDescriptor(bytes: Buffer): FileDescriptor {
  const [name = ""] = texts(bytes, FILE.name);
  const [scope = ""] = texts(bytes, FILE.package);
  const services = names(scope, bytes, FILE.service);
  const methods = parts(bytes, FILE.service).flatMap((part) => names(full(scope, nameOf(part)), part, SERVICE.method));
  const messages = parts(bytes, FILE.message).flatMap((part) => messageSymbols(scope, part));
  const enums = parts(bytes, FILE.enum).flatMap((part) => enumSymbols(scope, part));
  const symbols = [...services, ...methods, ...messages, ...enums];
  return { name, dependencies: texts(bytes, FILE.dependency), symbols, bytes };
}

function messageSymbols(scope: string, message: Buffer): string[] {
  const name = full(scope, nameOf(message));
  return [
    name,
    ...names(name, message, MESSAGE.field),
    ...names(name, message, MESSAGE.oneof),
    ...parts(message, MESSAGE.nested).flatMap((part) => messageSymbols(name, part)),
    ...parts(message, MESSAGE.enum).flatMap((part) => enumSymbols(name, part)),
  ];
}

/** As in C++, enum values are siblings of their enum, not children (descriptor.proto, EnumValueDescriptorProto). */
function enumSymbols(scope: string, part: Buffer): string[] {
  return [full(scope, nameOf(part)), ...names(scope, part, ENUM.value)];
}

function names(scope: string, bytes: Buffer, number: number): string[] {
  return parts(bytes, number).map((part) => full(scope, nameOf(part)));
}

function full(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}

function nameOf(part: Buffer): string {
  return texts(part, NAME)[0] ?? "";
}

function texts(bytes: Buffer, number: number): string[] {
  return parts(bytes, number).map(String);
}

function parts(bytes: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  eachField(bytes, (number, reader) => (number === wanted ? found.push(reader.view()) : undefined));
  return found;
}

/** Calls `read` for each field. If `read` returns undefined, it has not read the field, and the field is skipped. */
function eachField(bytes: Uint8Array, read: (number: number, reader: WireReader) => unknown): void {
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.tag();
    if (read(tag >>> 3, reader) === undefined) reader.skip(tag & 7);
  }
}
