import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { message, string } from "../contract/message.ts";
import { type WatchResponse, VersionState, watchResponse } from "../contract/messages.ts";
import { repeated, repeatedString } from "../contract/repeated-fields.ts";
import { timestamp } from "../contract/time-fields.ts";
import { replaceFile } from "../files/replaced-file.ts";
import { CacheFileError } from "./cache-file-error.ts";
import type { LiveSecret } from "./newest-states.ts";
import { type SecretSeen, secretSeen } from "./secret-events.ts";
import { UnsealError, seal, unseal } from "./sealed-bytes.ts";

/** The server and the paths whose secrets a sealed file has. A file with another scope is not loaded. */
export interface CacheScope {
  /** The SPIFFE ID of the server. */
  readonly serverId: string;
  readonly paths: readonly string[];
  readonly prefixes: readonly string[];
}

/** The plaintext of a sealed file. */
interface SavedCache extends CacheScope {
  /** When the server last confirmed the secrets, in milliseconds since the epoch. */
  readonly confirmedTime: number | undefined;
  /** Events of the type `secret`, as the server sends them. */
  readonly secrets: readonly WatchResponse[];
}

const savedCache = message<SavedCache>({
  serverId: string(1, "server_id"),
  paths: repeatedString(2, "paths", Number.POSITIVE_INFINITY),
  prefixes: repeatedString(3, "prefixes", Number.POSITIVE_INFINITY),
  confirmedTime: timestamp(4, "confirmed_time"),
  secrets: repeated(5, "secrets", watchResponse),
});

/** The secrets of a sealed file. */
export interface LoadedCache {
  /** When the server last confirmed them, in milliseconds since the epoch. */
  readonly confirmedTime: number;
  readonly secrets: readonly SecretSeen[];
}

/** What is saved. */
export interface CacheSnapshot {
  /** When the server last confirmed the secrets, in milliseconds since the epoch. */
  readonly confirmedTime: number;
  readonly secrets: readonly LiveSecret[];
}

/**
 * The sealed file of a cache: the secrets with which a workload starts while no server answers. Every write replaces it
 * atomically, with mode 0600.
 */
export class CacheFile {
  readonly #path: string;
  readonly #key: Buffer;
  readonly #scope: CacheScope;

  /** `key` belongs to this object, which overwrites it when it is closed. */
  constructor(path: string, key: Buffer, scope: CacheScope) {
    this.#path = path;
    this.#key = key;
    this.#scope = scope;
  }

  /**
   * The content of the file; undefined if there is none. Rejects with {@link CacheFileError} if it can't be read, or is not
   * the file of this cache.
   */
  async load(): Promise<LoadedCache | undefined> {
    return this.#named(async () => {
      const sealed = await this.#read();
      return sealed && this.#open(sealed);
    });
  }

  /** Replaces the file. Rejects with {@link CacheFileError}. */
  async save(snapshot: CacheSnapshot): Promise<void> {
    await this.#named(() => replaceFile(this.#path, this.#seal(snapshot), 0o600));
  }

  /** Overwrites the key. */
  close(): void {
    this.#key.fill(0);
  }

  async #named<Result>(task: () => Promise<Result>): Promise<Result> {
    try {
      return await task();
    } catch (error) {
      throw new CacheFileError(this.#path, error);
    }
  }

  #seal({ secrets, confirmedTime }: CacheSnapshot): Buffer {
    const plaintext = savedCache.encode({ ...this.#scope, confirmedTime, secrets: secrets.map(responseOf) });
    try {
      return seal(plaintext, this.#key);
    } finally {
      plaintext.fill(0);
    }
  }

  #open(sealed: Buffer): LoadedCache {
    const plaintext = unseal(sealed, this.#key);
    try {
      return this.#check(savedCache.decode(plaintext));
    } finally {
      plaintext.fill(0);
    }
  }

  async #read(): Promise<Buffer | undefined> {
    try {
      return await readRegularFile(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  #check({ confirmedTime = 0, secrets, ...scope }: SavedCache): LoadedCache {
    if (JSON.stringify(scope) !== JSON.stringify(this.#scope))
      throw new UnsealError("is the file of a cache of another server, or of other paths");
    return {
      confirmedTime,
      secrets: secrets.flatMap(({ event, revision }) =>
        event?.kind === "secret" ? [secretSeen(event.value, revision)] : [],
      ),
    };
  }
}

/** Opens without blocking: the close of a cache waits for this, and a named pipe may never have a writer. */
async function readRegularFile(path: string): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new UnsealError("is not a regular file");
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function responseOf({ path, version, createTime, expireTime, content }: LiveSecret): WatchResponse {
  const valuesOf = (kind: "text" | "binary") => content.entries().filter((entry) => entry.kind === kind);
  const value = { path, version, createTime, expireTime, state: VersionState.live, purged: false };
  const values = { data: valuesOf("text"), binaryData: valuesOf("binary") };
  return { revision: 0, event: { kind: "secret", value: { ...value, ...values } }, timeline: "" };
}
