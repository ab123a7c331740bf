import type { Content } from "../domain/content.ts";

/** What a {@link CachedSecret} consists of. */
export interface CachedVersion {
  readonly path: string;
  readonly version: number;
  readonly createTime: number | undefined;
  readonly expireTime: number | undefined;
  readonly content: Content;
}

/** The newest version of a secret in a cache. */
export class CachedSecret {
  /** The path of the secret. */
  readonly path: string;
  /** The number of the version. */
  readonly version: number;
  /** When the version was created, in milliseconds since the epoch. */
  readonly createTime: number | undefined;
  /** When the version expires, in milliseconds since the epoch; undefined if it does not. */
  readonly expireTime: number | undefined;
  /**
   * The values by key. They belong to the cache, which overwrites them when it is closed: do not dispose of them. After
   * the cache has another version, this content stays readable as long as the program has it.
   */
  readonly content: Content;
  readonly #report: () => void;

  /** @internal */
  constructor({ path, version, createTime, expireTime, content }: CachedVersion, report: () => void) {
    this.path = path;
    this.version = version;
    this.createTime = createTime;
    this.expireTime = expireTime;
    this.content = content;
    this.#report = report;
  }

  /**
   * Reports that this workload uses the version, and no older one: for example, that its connections use the new
   * password. `describe` then counts it, and changes with `requireConverged` wait for it. The report is sent in the
   * background, and again after each reconnect.
   */
  inUse(): void {
    this.#report();
  }
}
