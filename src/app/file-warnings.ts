import { statSync } from "node:fs";
import type { FileAccess } from "../files/file-access.ts";
import { describeWriters, otherWriters } from "../files/file-writers.ts";
import type { Logger } from "../observability/logger.ts";
import type { ServeConfig } from "../config/serve-config.ts";

/**
 * Warns of files in use that other users may change. Where everybody may, or a group that is not the server's, the
 * policy and bundles are refused when they are read; for the rest there is this.
 */
export class FileWarnings {
  readonly #log: Logger;
  readonly #files: readonly string[];
  #told: ReadonlySet<string> = new Set();

  constructor({ identity, policy }: Pick<ServeConfig, "identity" | "policy">, log: Logger) {
    this.#log = log;
    const own = identity.kind === "files" ? [identity.files.cert, ...identity.files.bundles.values()] : [];
    this.#files = [...own, ...(policy === undefined ? [] : [policy])];
  }

  /** Looks at all of them, and tells what was not so at the last look. */
  look(): void {
    const found = new Set(this.#files.flatMap(warningsAbout));
    for (const detail of found) if (!this.#told.has(detail)) this.#log.warn("file warning", { detail });
    this.#told = found;
  }
}

function warningsAbout(file: string): readonly string[] {
  const access = accessTo(file);
  if (access === undefined) return [];
  const writers = otherWriters(access);
  return writers === undefined ? [] : [`${file} ${describeWriters(writers, access, file)}`];
}

/** Undefined when the system does not say: reading the file reports why. */
function accessTo(file: string): FileAccess | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
