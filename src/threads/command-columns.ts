import type { SecretPath } from "../domain/secret-path.ts";
import type {
  ChangeCommand,
  ConvergenceDemand,
  Expiry,
  Guard,
  Label,
  OperationCommand,
  SettingsUpdate,
  VersionsCommand,
} from "../store/command.ts";
import type { ColumnReader, ColumnWriter } from "./columns.ts";

/** Returns the next bytes of the plaintexts that arrived with a command. */
export type TakePlaintext = (length: number) => Buffer;

const OPERATIONS = ["put", "delete", "undelete", "destroy", "patch", "copy", "purge", "metadata"] as const;

const EXPIRIES = ["default", "at", "after"] as const;

const SWITCH = ["false", "true", "unset"] as const;

const CONVERGENCE = ["ignored", "counted", "named"] as const;

/** Writes a command. Of its plaintexts, only the lengths are written. */
export function writeCommand(writer: ColumnWriter, command: ChangeCommand): void {
  writer.sharedText(command.author);
  writer.optionalText(command.requestId);
  writer.list(command.operations, writeOperation);
  writer.list(command.guards, writeGuard);
}

/** Reads a command. */
export function readCommand(reader: ColumnReader, take: TakePlaintext): ChangeCommand {
  return {
    author: reader.text(),
    requestId: reader.optionalText(),
    operations: reader.list(() => readOperation(reader, take)),
    guards: reader.list(readGuard),
  };
}

function writeGuard(writer: ColumnWriter, { path, expectedVersion }: Guard): void {
  writer.text(path);
  writer.number(expectedVersion);
}

function readGuard(reader: ColumnReader): Guard {
  return { path: reader.text() as SecretPath, expectedVersion: reader.number() };
}

function writeOperation(writer: ColumnWriter, operation: OperationCommand): void {
  writer.oneOf(OPERATIONS, operation.kind);
  writer.text(operation.path);
  writer.optional(operation.expectedVersion);
  switch (operation.kind) {
    case "put":
      writer.number(operation.plaintext.length);
      writeExpiry(writer, operation.expiry);
      break;
    case "patch":
      writer.number(operation.plaintext.length);
      writer.list(operation.removed, writeText);
      break;
    case "copy":
      writer.text(operation.source);
      writer.number(operation.version);
      break;
    case "metadata":
      writeUpdate(writer, operation.update);
      break;
    case "delete":
    case "undelete":
    case "destroy":
      writer.numbers(operation.versions);
      writeConvergence(writer, operation.convergence);
  }
}

function readOperation(reader: ColumnReader, take: TakePlaintext): OperationCommand {
  const kind = reader.oneOf(OPERATIONS);
  const path = reader.text() as SecretPath;
  const expectedVersion = reader.optional();
  switch (kind) {
    case "put":
      return { kind, path, expectedVersion, plaintext: take(reader.number()), expiry: readExpiry(reader) };
    case "patch":
      return { kind, path, expectedVersion, plaintext: take(reader.number()), removed: reader.list(readText) };
    case "copy":
      return { kind, path, expectedVersion, source: reader.text() as SecretPath, version: reader.number() };
    case "metadata":
      return { kind, path, expectedVersion, update: readUpdate(reader) };
    case "purge":
      return { kind, path, expectedVersion };
    case "delete":
    case "undelete":
    case "destroy":
      return { kind, path, expectedVersion, versions: reader.numbers(), ...readConvergence(reader) };
  }
}

function writeConvergence(writer: ColumnWriter, demand: ConvergenceDemand | undefined): void {
  writer.oneOf(CONVERGENCE, demand?.refusal ?? "ignored");
  if (demand !== undefined) writer.number(demand.minWatchers);
}

function readConvergence(reader: ColumnReader): Pick<VersionsCommand, "convergence"> {
  const refusal = reader.oneOf(CONVERGENCE);
  return refusal === "ignored" ? {} : { convergence: { refusal, minWatchers: reader.number() } };
}

function writeExpiry(writer: ColumnWriter, expiry: Expiry): void {
  writer.oneOf(EXPIRIES, expiry.kind);
  if (expiry.kind !== "default") writer.number(expiry.kind === "at" ? expiry.time : expiry.ms);
}

function readExpiry(reader: ColumnReader): Expiry {
  const kind = reader.oneOf(EXPIRIES);
  if (kind === "default") return { kind };
  const number = reader.number();
  return kind === "at" ? { kind, time: number } : { kind, ms: number };
}

function writeUpdate(writer: ColumnWriter, update: SettingsUpdate): void {
  writer.optional(update.maxVersions);
  writer.list(update.setLabels, writeLabel);
  writer.list(update.removedLabels, writeText);
  writer.optionalText(update.description);
  writer.optional(update.defaultTtl);
  writer.oneOf(SWITCH, update.casRequired === undefined ? "unset" : `${update.casRequired}`);
}

function readUpdate(reader: ColumnReader): SettingsUpdate {
  return {
    maxVersions: reader.optional(),
    setLabels: reader.list(readLabel),
    removedLabels: reader.list(readText),
    description: reader.optionalText(),
    defaultTtl: reader.optional(),
    casRequired: { unset: undefined, true: true, false: false }[reader.oneOf(SWITCH)],
  };
}

/** Writes a label. */
export function writeLabel(writer: ColumnWriter, [key, value]: Label): void {
  writer.text(key);
  writer.text(value);
}

/** Reads a label. */
export function readLabel(reader: ColumnReader): Label {
  return [reader.text(), reader.text()];
}

function writeText(writer: ColumnWriter, text: string): void {
  writer.text(text);
}

function readText(reader: ColumnReader): string {
  return reader.text();
}
