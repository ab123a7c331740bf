import { status as grpcStatus } from "@grpc/grpc-js";
import type { BatchGetEntry, BatchGetError, BatchGetResponse, GetResponse } from "../contract/messages.ts";
import type { Reason } from "../contract/reasons.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { ClientError, type StatusName } from "./client-error.ts";

/** The content of one version. */
export interface Secret {
  /** Always "secret". */
  readonly kind: "secret";
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version. */
  readonly version: number;
  /** The revision of the store at which the version was created. It grows with every change of any secret. */
  readonly revision: number;
  /** When the version was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
  /** When the version expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
  /** The values by key. Printing the content shows no value. */
  readonly content: Content;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

/** The answer to a Get whose `ifVersionNot` is the number of the version. */
export interface NotModified {
  /** Always "not-modified". */
  readonly kind: "not-modified";
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version. */
  readonly version: number;
  /** The revision of the store at which this answer was made. */
  readonly storeRevision: number;
}

/** A secret of a BatchGet that could not be read. */
export interface UnreadSecret {
  /** Always "unread". */
  readonly kind: "unread";
  /** The path of the secret. */
  readonly path: string;
  /** The error that a Get of this path has. */
  readonly error: ClientError;
}

/** The secrets of a BatchGet, in the order of its paths, as of one revision. */
export interface SecretBatch {
  /** One entry for each path. */
  readonly entries: readonly (Secret | UnreadSecret)[];
  /** The revision of the store at which all entries were read. */
  readonly storeRevision: number;
}

/** The answer to a Get. */
export function readSecret({ data, binaryData, notModified, ...version }: GetResponse): Secret | NotModified {
  const { path, version: number, storeRevision } = version;
  if (notModified) return { kind: "not-modified", path, version: number, storeRevision };
  const text = data.map((entry): ContentEntry => ({ ...entry, kind: "text" }));
  const binary = binaryData.map((entry): ContentEntry => ({ ...entry, kind: "binary" }));
  return { kind: "secret", ...version, content: Content.unchecked([...text, ...binary]) };
}

/** The answer to a BatchGet. */
export function readBatch({ entries, storeRevision }: BatchGetResponse): SecretBatch {
  return { entries: entries.map(readEntry), storeRevision };
}

function readEntry({ path, result }: BatchGetEntry): Secret | UnreadSecret {
  switch (result?.kind) {
    case "secret":
      // A BatchGet has no ifVersionNot.
      return readSecret(result.value) as Secret;
    case "error":
      return { kind: "unread", path, error: readError(result.value) };
    case undefined:
      return { kind: "unread", path, error: new ClientError("UNKNOWN", "the server sent a result of an unknown kind") };
  }
}

function readError({ code, message, reason, metadata }: BatchGetError): ClientError {
  const name = (grpcStatus[code] ?? "UNKNOWN") as StatusName;
  return new ClientError(name, message, { reason: reason as Reason, metadata: Object.fromEntries(metadata) });
}
