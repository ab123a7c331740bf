import { DEFAULT_MAX_CONTENT_BYTES } from "../../src/contract/limits.ts";
import { Content } from "../../src/domain/content.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { type Timers, processTimers } from "../../src/domain/timers.ts";
import type { Sealer } from "../../src/sealing/sealer.ts";
import type { ChangeAuthorization } from "../../src/store/change-authorization.ts";
import type { Journal } from "../../src/store/journal.ts";
import type { ChangeCommand, OperationCommand } from "../../src/store/command.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import type { Publication } from "../../src/store/publication.ts";
import { SecretStore } from "../../src/store/secret-store.ts";
import type { WatcherVersions } from "../../src/store/watch-registry.ts";
import { StoreClock } from "../../src/store/store-clock.ts";
import { plainSealer } from "./plain-sealer.ts";

export const AUTHOR = "spiffe://example.org/test";

export interface StoreKitOptions {
  readonly sealer?: Sealer;
  readonly maxStoreBytes?: number;
  readonly timers?: Timers;
  readonly clock?: StoreClock;
  readonly maxContentBytes?: number;
  readonly maxRequestIds?: number;
  readonly tombstoneRetentionMs?: number;
  readonly publication?: Publication;
  readonly watchers?: WatcherVersions;
  readonly authorize?: ChangeAuthorization;
  readonly onFailed?: (cause: unknown) => void;
}

export const DAY_MS = 24 * 60 * 60 * 1000;

/** A store on a journal, without an observer. */
export function loadStore(journal: Journal, options: StoreKitOptions = {}): Promise<SecretStore> {
  const { timers = processTimers, onFailed = () => {}, ...others } = options;
  return SecretStore.load({
    journal,
    sealer: plainSealer,
    observer: { committed: () => {}, queued: () => {}, failed: onFailed },
    timers,
    clock: new StoreClock(timers),
    maxStoreBytes: Number.MAX_SAFE_INTEGER,
    maxContentBytes: DEFAULT_MAX_CONTENT_BYTES,
    maxRequestIds: 1000,
    tombstoneRetentionMs: 90 * DAY_MS,
    ...others,
  });
}

/** Content with one text value. */
export function textContent(value: string, key = "value"): Content {
  return Content.parse([{ key, kind: "text", value: Buffer.from(value) }]);
}

/** A command with the given operations, of {@link AUTHOR} and without a request id. */
export function commandOf(...operations: OperationCommand[]): ChangeCommand {
  return { author: AUTHOR, operations, guards: [], requestId: undefined };
}

/** A Put of one text value. */
export function putRequest(path: string, value: string, expectedVersion?: number): ChangeCommand {
  const plaintext = encodeContent(textContent(value));
  const expiry = { kind: "default" } as const;
  return commandOf({ kind: "put", path: parseSecretPath(path), plaintext, expectedVersion, expiry });
}

export function deleteRequest(path: string, versions: number[] = [], expectedVersion?: number): ChangeCommand {
  return commandOf({ kind: "delete", path: parseSecretPath(path), versions, expectedVersion });
}

export function destroyRequest(path: string, versions: number[] = []): ChangeCommand {
  return commandOf({ kind: "destroy", path: parseSecretPath(path), versions, expectedVersion: undefined });
}

/** The text of a version, or the reason of the error. */
export function read(store: SecretStore, path: string, version = 0): string {
  try {
    const [entry] = opened(store, path, version).entries();
    return Buffer.from(entry!.value).toString();
  } catch (error) {
    return reasonOf(error);
  }
}

/** The content of a version. Throws the errors of a Get. */
export function opened(store: SecretStore, path: string, version = 0): Content {
  const snapshot = store.snapshot();
  const secretPath = parseSecretPath(path);
  return snapshot.open(secretPath, snapshot.version(secretPath, version));
}

/** The result of a promise: its value, or the reason of its CofferError. */
export async function outcomeOf<T>(promise: Promise<T>): Promise<T | string> {
  return promise.catch(reasonOf);
}

/** The reason of a CofferError. Throws every other error. */
export function reasonOf(error: unknown): string {
  if (error instanceof CofferError) return error.reason;
  throw error;
}
