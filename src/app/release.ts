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

function manifest(): Manifest {
  return JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as Manifest;
}
