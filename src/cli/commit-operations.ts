import { dirname } from "node:path";
import type { ChangeOperation } from "../client/operations.ts";
import type { CofferClient } from "../client/coffer-client.ts";
import { Content } from "../domain/content.ts";
import { readEntries } from "./assignment.ts";
import { CommandFailed } from "./command-failed.ts";
import { type FileOperation, assignmentsOf } from "./document/commit-file.ts";
import { pruningOf } from "./pruning.ts";
import type { ValueSurroundings } from "./value-source.ts";

/** Where the values of a commit file come from. */
export interface CommitValues {
  /** The file. Names of other files are relative to its folder, or to the working folder if it is "-". */
  readonly file: string;
  readonly allowEmpty?: boolean;
  readonly surroundings: ValueSurroundings;
}

/** Reads the values that the operations refer to. Throws CommandFailed, with the index of the operation. */
export async function readOperations(
  operations: readonly FileOperation[],
  values: CommitValues,
): Promise<ChangeOperation[]> {
  const read: ChangeOperation[] = [];
  for (const [index, operation] of operations.entries()) {
    read.push(await inOperation(index, operation.kind, () => readOperation(operation, values)));
  }
  return read;
}

async function inOperation<T>(index: number, kind: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new CommandFailed(error.outcome, `operation ${index} (${kind}): ${error.message}`);
  }
}

/** Renames the fields to those of the client. The file was checked, so the required fields are present. */
async function readOperation({ kind, fields }: FileOperation, values: CommitValues): Promise<ChangeOperation> {
  const { expected_version: expectedVersion } = fields;
  switch (kind) {
    case "put": {
      const { path = "", ttl: ttlMs, expire_time: expireTime } = fields;
      return { kind, path, values: await readContent(fields, values), ttlMs, expireTime, expectedVersion };
    }
    case "patch": {
      const { path = "", remove } = fields;
      return { kind, path, set: await readContent(fields, values), remove, expectedVersion };
    }
    case "delete":
    case "destroy": {
      const { path = "", versions, require_converged: requireConverged, min_watchers: minWatchers } = fields;
      return { kind, path, versions: named(versions), requireConverged, minWatchers, expectedVersion };
    }
    case "undelete": {
      const { path = "", versions } = fields;
      return { kind, path, versions: named(versions), expectedVersion };
    }
    case "restore": {
      const { path = "", version = 0 } = fields;
      return { kind, path, version, expectedVersion };
    }
    case "copy": {
      const { source = "", target = "", version } = fields;
      return { kind, source, target, version, expectedVersion };
    }
    case "purge": {
      const { path = "" } = fields;
      return { kind, path, expectedVersion };
    }
    case "metadata": {
      const { path = "", description, labels, remove_labels: removeLabels, default_ttl: defaultTtlMs } = fields;
      const { max_versions: maxVersions, cas_required: casRequired } = fields;
      const settings = { maxVersions, labels, removeLabels, description, defaultTtlMs, casRequired };
      return { kind, path, ...settings, expectedVersion };
    }
  }
}

/** The client has no empty list of versions. In a commit file, as in coffer.proto, it means the newest version. */
function named(versions: readonly number[] | undefined): readonly number[] | undefined {
  return versions?.length === 0 ? undefined : versions;
}

async function readContent(
  fields: Parameters<typeof assignmentsOf>[0],
  { file, surroundings, allowEmpty = false }: CommitValues,
): Promise<Content> {
  const folder = file === "-" ? "" : dirname(file);
  return Content.unchecked(await readEntries(assignmentsOf(fields), surroundings, { allowEmpty, folder }));
}

/**
 * Describes the changes of a commit that can't be undone, as a text to follow "Do you want to". Undefined if all can be
 * undone.
 */
export async function finalChanges(
  client: CofferClient,
  operations: readonly ChangeOperation[],
): Promise<string | undefined> {
  const changes = await Promise.all(operations.map((operation) => finalChange(client, operation)));
  const found = changes.flatMap((change, index) => (change === undefined ? [] : [`${change} (operation ${index})`]));
  return found.length === 0 ? undefined : found.join(", and ");
}

async function finalChange(client: CofferClient, operation: ChangeOperation): Promise<string | undefined> {
  if (operation.kind === "destroy" || operation.kind === "purge") return `${operation.kind} ${operation.path}`;
  if (operation.kind !== "metadata" || operation.maxVersions === undefined) return undefined;
  return pruningOf(client, String(operation.path), operation.maxVersions);
}
