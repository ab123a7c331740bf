import type { InternalCacheOptions } from "../../src/client/cache-options.ts";
import { SecretCache } from "../../src/client/secret-cache.ts";
import type { WatchResponse } from "../../src/contract/messages.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { ScriptedWatches, turns } from "./scripted-watches.ts";

/** The SPIFFE ID of the server of a scripted cache. */
const SERVER = SpiffeId.parse("spiffe://example.org/coffer");

/** A cache whose server and time the test controls. */
export class ScriptedCache extends ScriptedWatches {
  readonly cache: SecretCache;
  /** The texts of all changes, such as "changed a 1". */
  readonly changes: string[] = [];
  /** The error of the changes, if there was one. */
  failure: unknown;

  constructor(options: InternalCacheOptions = { prefixes: [""] }, serverId = SERVER) {
    super();
    const client = { watch: (watch: InternalCacheOptions) => this.begin(watch), serverId };
    this.cache = new SecretCache(client as never, { timers: this.timers, ...options });
    void this.#follow();
  }

  /** Sends messages on the newest stream, and waits until the cache has them. */
  async receive(...messages: readonly WatchResponse[]): Promise<void> {
    (await this.stream()).send(...messages);
    await turns();
  }

  async #follow(): Promise<void> {
    try {
      for await (const change of this.cache.changes())
        this.changes.push(
          `${change.kind} ${change.path} ${change.kind === "changed" ? change.version : change.reason}`,
        );
    } catch (error) {
      this.failure = error;
    }
  }
}
