import type { CofferError } from "../../src/domain/errors.ts";
import type { ChangeResult } from "../../src/store/command.ts";
import type { StoredSecret } from "../../src/store/secret.ts";
import type { Fact, RecordedOperation, Seen, VersionState } from "../support/history.ts";

/** What a refusal of a Get of a version says; 0 is the newest. */
export function factsOfGet({ reason, metadata }: CofferError, path: string, number: number): readonly Fact[] {
  const which = number === 0 ? "newest" : "version";
  const version = Number(metadata["version"]);
  switch (reason) {
    case "VERSION_DELETED":
      return [{ path, seen: { kind: `${which} deleted`, version } }];
    case "VERSION_DESTROYED":
      return [{ path, seen: { kind: `${which} destroyed`, version } }];
    case "VERSION_NOT_FOUND":
      return [{ path, seen: { kind: "no version", version } }];
    case "SECRET_NOT_FOUND":
      return [{ path, seen: { kind: "missing" } }];
    default:
      throw new Error(`${reason} for ${path}`);
  }
}

/**
 * What the refusal of a change says about the secret that it names. An operation sees the effects of those before it, so
 * a refusal because of a secret that they change says nothing about the store.
 */
export function factsOfRefusal(error: CofferError, operations: readonly RecordedOperation[]): readonly Fact[] {
  const { reason, metadata } = error;
  const path = metadata["path"];
  if (reason === "DISK_FULL") return [];
  const index = Number(metadata["operation"] ?? operations.length);
  if (path === undefined) throw new Error(`${reason} without a path`, { cause: error });
  if (operations.slice(0, index).some((before) => before.path === path)) return [];
  const latest = Number(metadata["latest_version"]);
  return reason === "VERSION_MISMATCH"
    ? [{ path, seen: { kind: "latest", version: latest } }]
    : factsOfGet(error, path, Number(metadata["version"]));
}

/** What is known of a change that had nothing to do. */
export function factsOfUnchanged(operations: readonly RecordedOperation[]): readonly Fact[] {
  return operations.map((operation) => {
    if (!("named" in operation)) throw new Error(`a ${operation.kind} changed nothing`);
    const { kind, path, named } = operation;
    return { path, seen: { kind: "unchanged", operation: kind, versions: named } };
  });
}

/** Whether a change had an effect. */
export function hasChanged({ results }: ChangeResult): boolean {
  return results.some(({ versions }) => versions.length > 0);
}

/** What a Describe says. */
export function described({ versions }: StoredSecret): Seen {
  return {
    kind: "described",
    versions: versions.map(({ number, revision, state }) => ({
      version: number,
      revision,
      state: state.kind as VersionState,
      changed: state.kind === "live" ? undefined : state.revision,
    })),
  };
}
