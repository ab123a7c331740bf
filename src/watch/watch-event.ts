import type { Content } from "../domain/content.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { VersionStateKind } from "../store/change.ts";
import type { Version } from "../store/secret.ts";
import type { TimelinePosition } from "./bookmark.ts";

/** The newest state of a secret that exists. Its position is that of its last change. */
export interface SecretStateEvent extends TimelinePosition {
  readonly kind: "secret";
  readonly path: SecretPath;
  /** Its newest version, with the version's state at this moment; undefined if it has none. */
  readonly newest: { readonly version: Version; readonly state: VersionStateKind } | undefined;
  /** The content of a live version, if the watch requests it and it is not damaged. The receiver overwrites it. */
  readonly content: Content | undefined;
}

/** A secret was purged. */
export interface PurgedEvent extends TimelinePosition {
  readonly kind: "purged";
  readonly path: SecretPath;
  /** The number of its last version. */
  readonly lastVersion: number;
}

/** What a watcher receives. */
export type WatchEvent =
  | SecretStateEvent
  | PurgedEvent
  /** The caller may no longer see the secret. */
  | (TimelinePosition & { readonly kind: "revoked"; readonly path: SecretPath })
  /** A snapshot follows. */
  | { readonly kind: "resync" }
  /** Everything up to the revision was sent. */
  | (TimelinePosition & {
      readonly kind: "synced";
      readonly readable: number;
      readonly requested: number;
      readonly watchId: string;
      readonly policy: string;
    })
  | (TimelinePosition & { readonly kind: "heartbeat"; readonly policy: string });
