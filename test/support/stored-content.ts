import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { piecesIn } from "./content-search.ts";
import { columnsOf } from "./dump.ts";
import type { Site } from "./server-process.ts";

/** The sealed content of the only version of a path, as the disk has it; empty if it was removed. */
export function sealedOf(site: Site, path: string): Buffer {
  const row = columnsOf(site.data, ["path", "sealed"]).find((cells) => cells[0] === path) as [string, unknown];
  return row[1] as Buffer;
}

/** The files of the store that have a piece of a sealed content. */
export function filesWith(site: Site, sealed: Buffer): string[] {
  const folder = join(site.data, "store");
  return readdirSync(folder).filter((name) => piecesIn(readFileSync(join(folder, name)), [sealed]) > 0);
}
