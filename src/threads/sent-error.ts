import { CofferError } from "../domain/errors.ts";

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

/** How many causes of an error are sent. An error can be its own cause. */
const MAX_CAUSES = 8;

/** Describes any thrown value, and up to `causes` of its causes. */
export function describeError(error: unknown, causes = MAX_CAUSES): SentError {
  if (!(error instanceof Error)) return describeError(new Error(String(error)), causes);
  const { name, message, stack = message, cause } = error;
  const sentCause = cause === undefined || causes === 0 ? undefined : describeError(cause, causes - 1);
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
