import { readFileSync } from "node:fs";

interface Manifest {
  readonly version: string;
}

/** The release of this program, from package.json. */
export function release(): string {
  return manifest().version;
}

/**
 * The commit that this program was built from, written by the build (scripts/commit.mjs). It ends with "-modified" if
 * files differed from the commit. It is "unknown" if the build ran outside a clone.
 */
export function commit(): string {
  try {
    return readFileSync(new URL("../commit", import.meta.url), "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}

function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as Manifest;
}
