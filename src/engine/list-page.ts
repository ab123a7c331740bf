import { MAX_ANSWER_BYTES } from "../contract/limits.ts";
import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Label } from "../store/command.ts";
import type { Reads } from "../store/reads.ts";
import type { StoredSecret } from "../store/secret.ts";
import { openPageToken, sealPageToken } from "./page-token.ts";
import type { CallPermits } from "./permits.ts";

/** Proves that a caller may list secrets with a prefix. Only the engine creates it. */
export interface ListPermit {
  readonly permits: CallPermits;
  readonly prefix: PathPrefix;
}

/** The query of a List for one page. */
export interface ListQuestion {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  /** Whether paths that contain "/" after the prefix are answered as prefixes. */
  readonly isFolded: boolean;
  readonly labels: readonly Label[];
  readonly showDeleted: boolean;
}

/** One secret of a page. */
export interface ListedSecret {
  readonly path: SecretPath;
  /** Undefined if the caller may not describe the secret. */
  readonly described: StoredSecret | undefined;
}

/** One page of List. `nextPageToken` is empty on the last page. */
export interface ListAnswer {
  readonly secrets: readonly ListedSecret[];
  readonly prefixes: readonly string[];
  readonly nextPageToken: string;
  /** Milliseconds since the epoch. It decides which versions have expired. */
  readonly time: number;
  readonly storeRevision: number;
}
