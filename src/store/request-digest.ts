import type { Sealer } from "../sealing/sealer.ts";
import type { ChangeCommand, ConvergenceDemand, Expiry, OperationCommand, SettingsUpdate } from "./command.ts";
import { entriesByKey } from "./content-format.ts";

/**
 * A keyed hash of what a command changes. Commands that differ only in the order of map entries have the same digest.
 * Without the key, someone who can read the database could test guesses of a value.
 *
 * The hashed bytes are JSON arrays with their lengths before them, each followed by the entries of a content, whose
 * length is in the array. So different commands have different bytes. The caller and the request id are not part of
 * these bytes, because they select what the digest is compared with.
 */
export function requestDigest({ operations, guards }: ChangeCommand, sealer: Sealer): Buffer {
  const guarded = guards.map(({ path, expectedVersion }) => [path, expectedVersion]);
  const parts = [text([operations.length, guarded])];
  for (const operation of operations) parts.push(...operationParts(operation));
  return sealer.digest(parts);
}

function operationParts(operation: OperationCommand): Buffer[] {
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
      return [text([...common, operation.versions, ...demandParts(operation.convergence)])];
    case "copy":
      return [text([...common, operation.source, operation.version])];
    case "purge":
      return [text(common)];
    case "metadata":
      return [text([...common, ...updateParts(operation.update)])];
  }
}

/**
 * Without a demand, or without a minimum, the digest is that of releases that did not have them: a repetition after an
 * upgrade is recognized.
 */
function demandParts(demand: ConvergenceDemand | undefined): readonly unknown[] {
  if (demand === undefined) return [];
  return demand.minWatchers === 0 ? ["converged"] : ["converged", demand.minWatchers];
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

function withContent(common: readonly unknown[], plaintext: Buffer): Buffer[] {
  return [text([...common, plaintext.length]), ...entriesByKey(plaintext)];
}

const LENGTH_BYTES = 4;

function text(parts: readonly unknown[]): Buffer {
  const json = JSON.stringify(parts);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(json));
  bytes.writeUInt32BE(bytes.write(json, LENGTH_BYTES), 0);
  return bytes;
}
