import type { SecretPath } from "../domain/secret-path.ts";
import { type Position, placeOf } from "../store/position.ts";
import type { Stored } from "../store/secret.ts";

/** Something to send: the newest state of a secret, or that it is no longer visible. */
export interface Candidate extends Position {
  readonly path: SecretPath;
  readonly isRevoked: boolean;
}

/** The revision of a candidate that the watcher may no longer see. It is lower than that of any change. */
const REVOKED_REVISION = -1;

/** The newest state of a secret, or its purge. */
export function stateOf(stored: Stored): Candidate {
  return { ...placeOf(stored), path: stored.path, isRevoked: false };
}

/** That a secret is no longer visible. */
export function revoked(path: SecretPath): Candidate {
  return { path, revision: REVOKED_REVISION, isRevoked: true };
}
