import { ClientError } from "../client/client-error.ts";

/**
 * Makes a call that changes a secret. The message of the {@link ClientError} that it rejects with has one more line: that
 * the change was not applied, or that this is unknown, and what to do then.
 */
export async function change<Response>(call: () => Promise<Response>): Promise<Response> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const { code, message } = error;
    throw new ClientError(code, `${message}\n${CONSEQUENCE[error.applied]}`, told(error), { cause: error });
  }
}

const CONSEQUENCE = {
  no: "nothing was changed",
  unknown: "the change may have been applied: look with coffer describe, or repeat it with --expected-version",
} as const;

function told({ reason, metadata, failure, retryDelayMs, applied }: ClientError) {
  return { metadata, retryDelayMs, applied, ...(reason && { reason }), ...(failure && { failure }) };
}
