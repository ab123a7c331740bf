import { invalidOption } from "./client-error.ts";
import { type NamesOf, checkOptions } from "./known-options.ts";
import type { WatchOptions } from "./watch-options.ts";
import { type Timers, processTimers } from "../domain/timers.ts";

/** A sealed file, from which a cache starts while no server answers. */
export interface CacheFileOption {
  /** The path of the file. The cache creates and replaces it, with mode 0600; the folder must exist. */
  readonly path: string;
  /**
   * The path of the file of the key: 32 random bytes, 64 hex digits or 44 base64 characters. Only the owner of the file
   * may have permission to read it. `coffer root-key --out FILE` makes one.
   */
  readonly key: string;
}

/** The options of a {@link SecretCache}. At least one path or prefix is required. */
export interface SecretCacheOptions extends Pick<WatchOptions, "paths" | "prefixes" | "instance"> {
  /** Keeps the secrets in a sealed file for the next start. None by default. */
  readonly file?: CacheFileOption | undefined;
}

/** Further options for Coffer's own code: sources of time. */
export interface InternalCacheOptions extends SecretCacheOptions {
  readonly timers?: Pick<Timers, "clock" | "elapsed" | "delay"> | undefined;
}

/** The checked options of a cache. */
export interface CacheSettings {
  readonly watch: WatchOptions;
  readonly file: CacheFileOption | undefined;
  readonly timers: Pick<Timers, "clock" | "elapsed" | "delay">;
}

const CACHE: NamesOf<InternalCacheOptions> = { paths: true, prefixes: true, instance: true, file: true, timers: true };
const FILE: NamesOf<CacheFileOption> = { path: true, key: true };

/** Checks the options of a cache; the watch checks its own. Throws {@link ClientError}. */
export function readCacheOptions(options: InternalCacheOptions): CacheSettings {
  const { file, timers = processTimers, ...watch } = checkOptions(options, CACHE);
  if (file !== undefined) {
    const { path, key } = checkOptions(file, FILE, "property");
    if (!path || !key) throw invalidOption("file: expected path and key");
  }
  return { watch, file, timers };
}
