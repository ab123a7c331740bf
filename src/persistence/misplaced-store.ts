import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { shellWord } from "../domain/shell-word.ts";
import { StoreRefused } from "./store-refused.ts";

/** The file name of every store's database. */
export const DATABASE_NAME = "coffer.db";

/**
 * The number of levels below `--data` that are searched. A store that was restored one level too deep is two levels
 * below `--data`.
 */
const DEPTH = 3;

/**
 * Refuses to create a store in a data folder that has a database in another place, because the server would become
 * ready with an empty store. A restored folder easily ends up one level too deep or too high. Throws
 * {@link StoreRefused}.
 */
export function refuseBesideAnother(data: string, store: string): void {
  if (existsSync(join(store, DATABASE_NAME)) || existsSync(join(store, `${DATABASE_NAME}-wal`))) return;
  const [found] = databasesIn(data, DEPTH);
  if (found === undefined) return;
  const message = `${join(store, DATABASE_NAME)} is missing, but ${found} exists: a new store would start empty beside it`;
  throw new StoreRefused("wrong kind", `${message}; ${placementAdvice(dirname(found), data, store)}`);
}

/** The command that moves the store to its place. It can't lose anything: rmdir removes only empty folders. */
function placementAdvice(from: string, data: string, store: string): string {
  if (from === data && basename(data) === "store") return `use --data ${shellWord(dirname(data))}`;
  if (from === data)
    return `run: mkdir -p -m 0700 ${shellWord(store)} && mv ${shellWord(data)}/${DATABASE_NAME}* ${shellWord(store)}/`;
  if (!from.startsWith(`${store}/`)) return "if that is the store, rename its folder to store";
  const found = shellWord(join(data, "store.found"));
  const target = shellWord(store);
  return `run: mv -T ${shellWord(from)} ${found} && rmdir ${target} && mv -T ${found} ${target}`;
}

/** All databases in a folder and below, the highest first. Folders that can't be read are skipped. */
function databasesIn(folder: string, depth: number): string[] {
  const entries = entriesOf(folder);
  const here = entries.filter((entry) => entry.name === DATABASE_NAME && entry.isFile());
  const folders = depth > 0 ? entries.filter((entry) => entry.isDirectory()) : [];
  return [
    ...here.map(({ name }) => join(folder, name)),
    ...folders.flatMap(({ name }) => databasesIn(join(folder, name), depth - 1)),
  ];
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
