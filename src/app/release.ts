import { readFileSync } from "node:fs";

interface Manifest {
  readonly version: string;
}

/** The release of this program, as package.json says it. */
export function release(): string {
  return manifest().version;
}

/**
 * The commit that this program was built from, as the build has written it (scripts/commit.mjs), with "-modified" when
 * files differed from it; "unknown" when it was built outside a clone.
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
