import { MemoryJournal } from "../persistence/memory-journal.ts";
import { readRootKey } from "../persistence/root-key-file.ts";
import { openStoreFile } from "../persistence/store-file.ts";
import { secureRandom } from "../sealing/random.ts";
import { SecretKey } from "../sealing/secret-key.ts";
import { STORE_ID_BYTES, XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import type { Journal } from "../store/journal.ts";
import type { StoreConfig } from "../config/serve-config.ts";

/** The storage of a store: its journal, and the sealer that has its data key. */
export interface Storage {
  readonly journal: Journal;
  readonly sealer: XChaChaSealer;
  /** Warnings for the log, one sentence each. */
  readonly warnings: readonly string[];
  /** Closes the journal and wipes the key. */
  close(): void;
}

/** Opens the storage that the configuration names. Throws StoreRefused, RootKeyRefused and PrivateFileError. */
export function openStorage(config: StoreConfig): Storage {
  return config.kind === "memory" ? openMemory() : openSqlite(config);
}

function openSqlite({ data, rootKey }: StoreConfig & { kind: "sqlite" }): Storage {
  const key = readRootKey({ file: rootKey, outside: data });
  const { journal, sealer, warnings } = openStoreFile({ data, rootKey: key });
  return { journal, sealer, warnings, close: () => closeBoth(journal, sealer) };
}

/**
 * Content is encrypted with a random key, so that memory contains no plain contents with this kind of storage either.
 */
function openMemory(): Storage {
  const storeId = Buffer.alloc(STORE_ID_BYTES);
  secureRandom(storeId);
  const sealer = new XChaChaSealer({ key: SecretKey.random(), keyId: 1, storeId });
  const journal = new MemoryJournal();
  const warnings = ["--store memory: all secrets are lost when the process ends"];
  return { journal, sealer, warnings, close: () => closeBoth(journal, sealer) };
}

function closeBoth(journal: Journal, sealer: XChaChaSealer): void {
  journal.close();
  sealer.close();
}
