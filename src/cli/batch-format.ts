import type { SecretBatch, UnreadSecret } from "../client/read-secret.ts";
import { ClientError } from "../client/client-error.ts";
import { table } from "./printable.ts";
import { type SecretFormat, secretDocument, shownValue } from "./secret-format.ts";

/** Formats several secrets as a table, or as JSON with the errors of those that could not be read. */
export function formatBatch(batch: SecretBatch, format: SecretFormat): string {
  return format === "json" ? batchJson(batch) : batchTable(batch);
}

function batchTable({ entries }: SecretBatch): string {
  const rows = entries.flatMap((entry) =>
    entry.kind === "unread"
      ? []
      : entry.content.entries().map((value) => [entry.path, String(entry.version), value.key, shownValue(value)]),
  );
  return table([["PATH", "VERSION", "KEY", "VALUE"], ...rows]);
}

function batchJson({ entries, storeRevision }: SecretBatch): string {
  const documents = entries.map((entry) =>
    entry.kind === "unread"
      ? { path: entry.path, error: errorDocument(entry) }
      : secretDocument(entry, entry.content.entries()),
  );
  return `${JSON.stringify({ store_revision: storeRevision, entries: documents }, null, 2)}\n`;
}

function errorDocument({ error: { code, reason, message } }: UnreadSecret): object {
  return { code, reason, message };
}

/** The errors of all secrets that could not be read, as one error with the code of the first; undefined if all were read. */
export function batchProblem({ entries }: SecretBatch): ClientError | undefined {
  const errors = entries.flatMap((entry) => (entry.kind === "unread" ? [entry.error] : []));
  const [first] = errors;
  if (first === undefined) return undefined;
  const { code, reason, metadata } = first;
  return new ClientError(code, errors.map(({ message }) => message).join("\n"), {
    metadata,
    ...(reason && { reason }),
  });
}
