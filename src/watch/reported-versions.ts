import type { SecretPath } from "../domain/secret-path.ts";
import type { Revision } from "../store/revision.ts";
import type { VersionUse, VersionReport } from "../store/watch-registry.ts";

/** The version of one secret that a watcher uses. */
export interface ReportedVersion {
  readonly version: number;
  readonly state: VersionUse;
  /** The revision of the store when it was reported. */
  readonly since: Revision;
}

/**
 * The versions that the caller of one watch has reported. Once it has reported that it uses a version of a secret, only
 * such reports count for this secret: a version that it has merely received does not replace the one in use.
 */
export class ReportedVersions {
  readonly #versions = new Map<SecretPath, ReportedVersion>();
  #instance = "";

  /** The number of paths with a report. */
  get size(): number {
    return this.#versions.size;
  }

  /** The instance of the last report; empty if there is none. */
  get instance(): string {
    return this.#instance;
  }

  has(path: SecretPath): boolean {
    return this.#versions.has(path);
  }

  get(path: SecretPath): ReportedVersion | undefined {
    return this.#versions.get(path);
  }

  set(path: SecretPath, { version, state, instance }: VersionReport, since: Revision): void {
    this.#instance = instance;
    if (state === "received" && this.#versions.get(path)?.state === "in use") return;
    this.#versions.set(path, { version, state, since });
  }
}
