import type { SecretPath } from "../domain/secret-path.ts";
import type { Revision } from "./revision.ts";

/**
 * What a caller wants to change: operations that become durable together with one revision, or not at all. A Put is a
 * command with one operation; a Commit has up to 128.
 */
export interface ChangeCommand {
  /** The SPIFFE ID of the caller. */
  readonly author: string;
  /** In order: each operation sees the effects of those before it. At least one. */
  readonly operations: readonly OperationCommand[];
  readonly guards: readonly Guard[];
  /** A UUID in lower case; undefined if the caller set none. */
  readonly requestId: string | undefined;
}

/** A condition: a secret that the command does not change must have this latest version. See {@link Targeted}. */
export interface Guard {
  readonly path: SecretPath;
  readonly expectedVersion: number;
}

/** One operation of a command. */
export type OperationCommand =
  | PutCommand
  | PatchCommand
  | VersionsCommand
  | CopyCommand
  | PurgeCommand
  | MetadataCommand;

/** The secret that an operation changes. */
interface Targeted {
  readonly path: SecretPath;
  /**
   * The number of the newest version, in any state. 0 means that no version is retained and that no tombstone is in
   * force. While a tombstone is in force, the number of the last version before the purge. Undefined accepts any.
   */
  readonly expectedVersion: number | undefined;
}

/** Adds a version. */
export interface PutCommand extends Targeted {
  readonly kind: "put";
  /** The encoded content (content-format.ts). It is overwritten when the command is answered. */
  readonly plaintext: Buffer;
  readonly expiry: Expiry;
}

/**
 * When a version expires. Milliseconds since the epoch, or from the commit. `default`: after the secret's default time to
 * live, if it has one.
 */
export type Expiry =
  | { readonly kind: "default" }
  | { readonly kind: "at"; readonly time: number }
  | { readonly kind: "after"; readonly ms: number };

/** Adds a version with the content of the newest one, some keys of which are set or removed. */
export interface PatchCommand extends Targeted {
  readonly kind: "patch";
  /** The encoded content (content-format.ts) of the keys to set; empty if there are none. Overwritten as that of a Put. */
  readonly plaintext: Buffer;
  readonly removed: readonly string[];
}

/** Changes the state of versions. */
export interface VersionsCommand extends Targeted {
  readonly kind: "delete" | "undelete" | "destroy";
  /** If empty, the newest version. */
  readonly versions: readonly number[];
  /** Set if all watchers have to use the newest version. */
  readonly convergence?: ConvergenceDemand | undefined;
}

/** Requires that all watchers of a secret use its newest version, and that it has enough watchers. */
export interface ConvergenceDemand {
  /** The smallest number of watchers; 0 accepts any number. */
  readonly minWatchers: number;
  /** What the caller gets if the demand is not met: the numbers of watchers, or also who is behind. */
  readonly refusal: "counted" | "named";
}

/** Adds a version with the content of a version of `source`. A Restore copies from a secret to itself. */
export interface CopyCommand extends Targeted {
  readonly kind: "copy";
  readonly source: SecretPath;
  /** 0 is the newest. */
  readonly version: number;
}

/** Removes a secret and leaves a tombstone. */
export interface PurgeCommand extends Targeted {
  readonly kind: "purge";
}

/** Changes the settings of a secret, which does not have to exist. */
export interface MetadataCommand extends Targeted {
  readonly kind: "metadata";
  readonly update: SettingsUpdate;
}

/** A change of settings. Undefined leaves a setting as it is. */
export interface SettingsUpdate {
  readonly maxVersions: number | undefined;
  readonly setLabels: readonly Label[];
  readonly removedLabels: readonly string[];
  readonly description: string | undefined;
  /** Milliseconds; 0 removes it. */
  readonly defaultTtl: number | undefined;
  readonly casRequired: boolean | undefined;
}

/** A label: a key and a value with the grammar of Kubernetes' labels. */
export type Label = readonly [key: string, value: string];

/** The answer to a command. */
export interface ChangeResult {
  /** The revision of the change. If a single operation changed nothing: that of the secret's last change. */
  readonly revision: Revision;
  /** The time of the change, in milliseconds since the epoch. */
  readonly time: number;
  /** In the order of the operations. */
  readonly results: readonly OperationResult[];
}

/** What one operation did. */
export interface OperationResult {
  /**
   * The number of the version that was added; or those whose state was changed, ascending; or for a purge the number of
   * the last version, if there was one. Empty for settings.
   */
  readonly versions: readonly number[];
  /** When the version that was added expires; undefined if it does not, or if none was added. */
  readonly expireTime: number | undefined;
}
