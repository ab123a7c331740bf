import assert from "node:assert/strict";
import { ClientError } from "../../src/client/client-error.ts";

/** Awaits the failure of a call, and returns its error. */
export async function failureOf(call: Promise<unknown>): Promise<ClientError> {
  const error = await call.then(
    () => undefined,
    (problem: unknown) => problem,
  );
  assert.ok(error instanceof ClientError, String(error));
  return error;
}
