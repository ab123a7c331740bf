import { statSync } from "node:fs";
import type { FileAccess } from "../files/file-access.ts";
import { describeWriters, otherWriters } from "../files/file-writers.ts";
import type { Logger } from "../observability/logger.ts";
import type { ServeConfig } from "../config/serve-config.ts";

/**
 * Warns of files in use that other users can change. The server refuses to read a policy or a bundle that every user
 * can change, or that a group other than its own can change. These warnings cover the other cases: certificates, files
 * that belong to another user, and files that the server's own group can change.
 */
export class FileWarnings {
  readonly #log: Logger;
  readonly #files: readonly string[];
  #logged: ReadonlySet<string> = new Set();

  constructor({ identity, policy }: Pick<ServeConfig, "identity" | "policy">, log: Logger) {
    this.#log = log;
    const own = identity.kind === "files" ? [identity.files.cert, ...identity.files.bundles.values()] : [];
    this.#files = [...own, ...(policy === undefined ? [] : [policy])];
  }

  /** Checks all files, and logs each warning that was not found at the last check. */
  check(): void {
    const found = new Set(this.#files.flatMap(warningsAbout));
    for (const detail of found) if (!this.#logged.has(detail)) this.#log.warn("file warning", { detail });
    this.#logged = found;
  }
}

function warningsAbout(file: string): readonly string[] {
  const access = accessTo(file);
  if (access === undefined) return [];
  const writers = otherWriters(access);
  return writers === undefined ? [] : [`${file} ${describeWriters(writers, access, file)}`];
}

/** Undefined when stat fails: reading the file then reports the reason. */
function accessTo(file: string): FileAccess | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
