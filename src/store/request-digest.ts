import type { ContentEntry } from "../domain/content.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { ChangeCommand, Expiry, OperationCommand, SettingsUpdate } from "./command.ts";
import { decodeContent } from "./content-format.ts";

/**
 * A keyed hash of what a command changes. Commands that differ only in the order of map entries have the same digest. The
 * key prevents that someone who reads the database tests guesses of a value.
 *
 * The hashed text is a list of JSON arrays and of values, each with its length before it, so that no two commands have
 * the same text. The caller and the request id are not a part of it, because they select what it is compared with.
 */
export function requestDigest({ operations, guards }: ChangeCommand, sealer: Sealer): Buffer {
  const guarded = guards.map(({ path, expectedVersion }) => [path, expectedVersion]);
  const parts = [text([operations.length, guarded]), ...operations.flatMap(operationParts)];
  return sealer.digest(parts.flatMap((part) => [lengthOf(part), part]));
}

function operationParts(operation: OperationCommand): Uint8Array[] {
  const { kind, path, expectedVersion = null } = operation;
  const common = [kind, path, expectedVersion];
  switch (operation.kind) {
    case "put":
      return withContent([...common, expiryOf(operation.expiry)], operation.plaintext);
    case "patch":
      return withContent([...common, [...operation.removed].sort()], operation.plaintext);
    case "delete":
    case "undelete":
    case "destroy":
      return [text([...common, operation.versions])];
    case "copy":
      return [text([...common, operation.source, operation.version])];
    case "purge":
      return [text(common)];
    case "metadata":
      return [text([...common, ...updateParts(operation.update)])];
  }
}

function expiryOf(expiry: Expiry): readonly unknown[] {
  if (expiry.kind === "default") return [];
  return expiry.kind === "at" ? ["at", expiry.time] : ["after", expiry.ms];
}

function updateParts(update: SettingsUpdate): readonly unknown[] {
  const { maxVersions = null, description = null, defaultTtl = null, casRequired = null } = update;
  const labels = [...update.setLabels].sort(([left], [right]) => (left < right ? -1 : 1));
  return [maxVersions, description, defaultTtl, casRequired, labels, [...update.removedLabels].sort()];
}

/** Adds the keys, in order, and then the values in the order of the keys. */
function withContent(common: readonly unknown[], plaintext: Buffer): Uint8Array[] {
  const entries = [...decodeContent(plaintext).entries()].sort((left, right) => (left.key < right.key ? -1 : 1));
  const keys = entries.map(({ kind, key }: ContentEntry) => [kind, key]);
  return [text([...common, keys]), ...entries.map(({ value }) => value)];
}

function text(parts: readonly unknown[]): Buffer {
  return Buffer.from(JSON.stringify(parts));
}

function lengthOf(part: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}
