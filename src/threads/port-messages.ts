import { CofferError } from "../domain/errors.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { DeleteResult, PutResult } from "../store/operation.ts";
import type { Batch } from "./batch.ts";
import type { ChunkChanges } from "./shared-chunks.ts";

/** What a front sends to the store thread: the changes that its callers requested in one turn of the event loop. */
export interface ChangesMessage {
  readonly requests: readonly ChangeRequest[];
  /** The plaintexts of all Puts, one after the other. The buffer is transferred, and the receiver overwrites it. */
  readonly plaintexts: ArrayBuffer;
}

/** A requested change. `id` identifies it among those of the same front. */
export type ChangeRequest =
  | {
      readonly kind: "put";
      readonly id: number;
      readonly path: SecretPath;
      readonly author: string;
      readonly expectedVersion: number | undefined;
      /** The length of its plaintext in bytes. */
      readonly length: number;
    }
  | {
      readonly kind: "delete";
      readonly id: number;
      readonly path: SecretPath;
      readonly author: string;
      readonly expectedVersion: number | undefined;
      readonly versions: readonly number[];
    };

/** What the store thread sends to a front. */
export type FeedMessage =
  | { readonly kind: "publication"; readonly number: number; readonly batch: Batch; readonly chunks: ChunkChanges }
  /** Changes of this front. Every publication that they depend on was sent before. */
  | { readonly kind: "answers"; readonly answers: readonly Answer[] };

/** The answer to a requested change. */
export type Answer =
  | { readonly kind: "done"; readonly id: number; readonly result: PutResult | DeleteResult }
  | { readonly kind: "failed"; readonly id: number; readonly error: SentError };

/** An error as a message. A structured clone of an Error would lose its class and its fields. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** For the log only. */
  readonly cause: SentError | undefined;
  /** Undefined if the error is a bug. */
  readonly expected: ExpectedError | undefined;
}

/** The fields of a CofferError that other errors do not have. */
type ExpectedError = Pick<CofferError, "reason" | "metadata" | "retryDelayMs">;

/** Describes any thrown value. */
export function describeError(error: unknown): SentError {
  if (!(error instanceof Error)) return describeError(new Error(String(error)));
  const { name, message, stack = message, cause } = error;
  const sentCause = cause === undefined ? undefined : describeError(cause);
  return { name, message, stack, cause: sentCause, expected: expectedError(error) };
}

function expectedError(error: Error): ExpectedError | undefined {
  if (!(error instanceof CofferError)) return undefined;
  const { reason, metadata, retryDelayMs } = error;
  return { reason, metadata, retryDelayMs };
}

/** The error that was described. */
export function restoreError({ name, message, stack, cause, expected }: SentError): Error {
  const options = cause === undefined ? {} : { cause: restoreError(cause) };
  const error = expected === undefined ? new Error(message, options) : restoreExpected(message, expected, options);
  return Object.assign(error, { stack, ...(name === error.name ? {} : { name }) });
}

function restoreExpected(message: string, expected: ExpectedError, options: ErrorOptions): CofferError {
  const { reason, metadata, retryDelayMs } = expected;
  return new CofferError(reason, message, metadata, {
    ...options,
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  });
}
