import type { Secret } from "../client/coffer-client.ts";
import type { ContentEntry } from "../domain/content.ts";
import { CommandFailed } from "./command-failed.ts";

/** What a command asked for of a secret: the entry of one key, or all of them. Throws CommandFailed: no such key. */
export function entriesOf({ path, version, content }: Secret, key: string | undefined): readonly ContentEntry[] {
  if (key === undefined) return content.entries();
  const selected = content.entries().filter((entry) => entry.key === key);
  if (selected.length === 0) throw new CommandFailed("notFound", `version ${version} of ${path} has no key ${key}`);
  return selected;
}
