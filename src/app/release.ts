import { readFileSync } from "node:fs";

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

/** The release of this program, as package.json says it. */
export function release(): string {
  return manifest().version;
}

/**
 * The releases of Node on which this program runs, as package.json says it: the oldest one of each line, as in "^20.19.0 ||
 * ^22.12.0".
 */
export function supportedNodes(): string {
  return manifest().engines.node;
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
