import type { Content } from "../domain/content.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { VersionStateKind } from "../store/change.ts";
import type { Revision } from "../store/revision.ts";
import type { Version } from "../store/secret.ts";

/** The newest state of a secret that exists. */
export interface SecretStateEvent {
  readonly kind: "secret";
  readonly path: SecretPath;
  /** The revision of its last change. */
  readonly revision: Revision;
  /** Its newest version, with the version's state at this moment; undefined if it has none. */
  readonly newest: { readonly version: Version; readonly state: VersionStateKind } | undefined;
  /** The content of a live version, if the watch requests it and it is not damaged. The receiver overwrites it. */
  readonly content: Content | undefined;
}

/** A secret was purged. */
export interface PurgedEvent {
  readonly kind: "purged";
  readonly path: SecretPath;
  readonly revision: Revision;
  /** The number of its last version. */
  readonly lastVersion: number;
}

/** What a watcher receives. */
export type WatchEvent =
  | SecretStateEvent
  | PurgedEvent
  /** The caller may no longer see the secret. */
  | { readonly kind: "revoked"; readonly path: SecretPath; readonly revision: Revision }
  /** A snapshot follows. */
  | { readonly kind: "resync" }
  /** Everything up to the revision was sent. */
  | {
      readonly kind: "synced";
      readonly revision: Revision;
      readonly readable: number;
      readonly requested: number;
      readonly watchId: string;
      readonly policy: string;
    }
  | { readonly kind: "heartbeat"; readonly revision: Revision; readonly policy: string };

/**
 * The policy of a heartbeat while the effect of a policy change is being sent. It equals no fingerprint, so a watcher that
 * reconnects with it gets a snapshot.
 */
export const POLICY_CHANGING = "-";
