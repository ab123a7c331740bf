import { Content } from "../../src/domain/content.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { type Timers, processTimers } from "../../src/domain/timers.ts";
import type { Sealer } from "../../src/sealing/sealer.ts";
import type { Journal } from "../../src/store/journal.ts";
import type { DeleteCommand, PutCommand } from "../../src/store/operation.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import { SecretStore } from "../../src/store/secret-store.ts";
import { plainSealer } from "./plain-sealer.ts";

export const AUTHOR = "spiffe://example.org/test";

export interface StoreKitOptions {
  readonly sealer?: Sealer;
  readonly maxStoreBytes?: number;
  readonly timers?: Timers;
  readonly onFailed?: (cause: unknown) => void;
}

/** A store on a journal, without an observer. */
export function loadStore(journal: Journal, options: StoreKitOptions = {}): Promise<SecretStore> {
  return SecretStore.load({
    journal,
    sealer: options.sealer ?? plainSealer,
    observer: { committed: () => {}, queued: () => {}, failed: options.onFailed ?? (() => {}) },
    timers: options.timers ?? processTimers,
    maxStoreBytes: options.maxStoreBytes ?? Number.MAX_SAFE_INTEGER,
  });
}

/** Content with one text value. */
export function textContent(value: string, key = "value"): Content {
  return Content.parse([{ key, kind: "text", value: Buffer.from(value) }]);
}

export function putRequest(path: string, value: string, expectedVersion?: number): PutCommand {
  return { path: parseSecretPath(path), plaintext: encodeContent(textContent(value)), expectedVersion, author: AUTHOR };
}

export function deleteRequest(path: string, versions: number[] = [], expectedVersion?: number): DeleteCommand {
  return { path: parseSecretPath(path), versions, expectedVersion, author: AUTHOR };
}

/** The text of a version, or the reason of the error. */
export function read(store: SecretStore, path: string, version = 0): string {
  try {
    const [entry] = store.get(parseSecretPath(path), version).content.entries();
    return Buffer.from(entry!.value).toString();
  } catch (error) {
    return reasonOf(error);
  }
}

/** The result of a promise: its value, or the reason of its CofferError. */
export async function outcomeOf<T>(promise: Promise<T>): Promise<T | string> {
  return promise.catch(reasonOf);
}

function reasonOf(error: unknown): string {
  if (error instanceof CofferError) return error.reason;
  throw error;
}
