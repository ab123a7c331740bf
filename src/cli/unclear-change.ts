import { ClientError } from "../client/client-error.ts";

/**
 * Makes a call that changes a secret. If it fails with a {@link ClientError}, adds a line to the message: that nothing
 * was changed, or that this is unknown, and what to do.
 */
export async function change<Response>(call: () => Promise<Response>): Promise<Response> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const { code, message } = error;
    throw new ClientError(code, `${message}\n${CONSEQUENCE[error.applied]}`, detailsOf(error), { cause: error });
  }
}

const CONSEQUENCE = {
  no: "nothing was changed",
  unknown: "the change may have been applied: check with coffer describe, or retry with --expected-version",
} as const;

function detailsOf({ reason, metadata, failure, retryDelayMs, applied }: ClientError) {
  return { metadata, retryDelayMs, applied, ...(reason && { reason }), ...(failure && { failure }) };
}
