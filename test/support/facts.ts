import type { Fact, RecordedOperation, Seen } from "./history.ts";

/** A refusal: the reason and the metadata of its error. */
export interface Refusal {
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the refusal of a read of a version says; 0 is the newest. Undefined if it says nothing about the secret. */
export function seenInRefusal({ reason, metadata }: Refusal, number: number): Seen | undefined {
  const which = number === 0 ? "newest" : "version";
  const version = Number(metadata["version"]);
  switch (reason) {
    case "VERSION_DELETED":
      return { kind: `${which} deleted`, version };
    case "VERSION_DESTROYED":
      return { kind: `${which} destroyed`, version };
    case "VERSION_NOT_FOUND":
      return { kind: "no version", version };
    case "VERSION_MISMATCH":
      return { kind: "latest", version: Number(metadata["latest_version"]) };
    case "SECRET_NOT_FOUND":
      return { kind: "missing" };
    default:
      return undefined;
  }
}

/**
 * What the refusal of a change says about the secret that it names; undefined if it says nothing about one. An operation
 * sees the effects of those before it, so a refusal because of a secret that they change says nothing about the store.
 */
export function factsOfRefusal(
  refusal: Refusal,
  operations: readonly RecordedOperation[],
): readonly Fact[] | undefined {
  const { metadata } = refusal;
  const path = metadata["path"];
  const seen = seenInRefusal(refusal, Number(metadata["version"]));
  if (path === undefined || seen === undefined) return undefined;
  const before = operations.slice(0, Number(metadata["operation"] ?? 0));
  return before.some((operation) => operation.path === path) ? [] : [{ path, seen }];
}

/** What is known of a change that had nothing to do. */
export function factsOfUnchanged(operations: readonly RecordedOperation[]): readonly Fact[] {
  return operations.map((operation) => {
    if (!("named" in operation)) throw new Error(`a ${operation.kind} changed nothing`);
    const { kind, path, named } = operation;
    return { path, seen: { kind: "unchanged", operation: kind, versions: named } };
  });
}
