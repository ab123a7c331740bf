import { CofferError, type ErrorMetadata } from "./errors.ts";

/**
 * An operation or a guard of a Commit. Errors have its index in their metadata as "operation" or "guard". `kind` is the
 * name of the operation's field in the proto, such as "put"; empty for a guard.
 */
export interface CommitPart {
  readonly part: "operation" | "guard";
  readonly index: number;
  readonly kind: string;
}

/**
 * The error of one operation or guard of a Commit: its message begins with the index, its metadata has it, and the name
 * of its field begins with that of the operation or guard, as in `operations[3].put.data`.
 */
export function errorOfPart(error: CofferError, { part, index, kind }: CommitPart): CofferError {
  const { field } = error.metadata;
  const name = `${part}s[${index}]${kind === "" ? "" : `.${kind}`}`;
  const named = field === undefined ? {} : { field: `${name}.${field}` };
  return changed(error, `${part} ${index}: ${error.message}`, { ...error.metadata, ...named, [part]: String(index) });
}

/** The operation or guard that an error of the store names in its metadata; undefined if it names none. */
export function partOf({ metadata }: CofferError): Omit<CommitPart, "kind"> | undefined {
  const { operation, guard } = metadata;
  if (operation !== undefined) return { part: "operation", index: Number(operation) };
  return guard === undefined ? undefined : { part: "guard", index: Number(guard) };
}

/** An error of the store for a call with one operation, without the index of the operation. */
export function errorOfOnly(error: CofferError): CofferError {
  const { operation: _, ...metadata } = error.metadata;
  return changed(error, error.message, metadata);
}

function changed({ reason, cause, retryDelayMs }: CofferError, message: string, metadata: ErrorMetadata): CofferError {
  return new CofferError(reason, message, metadata, {
    ...(cause === undefined ? {} : { cause }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  });
}
