import type { Secret } from "../client/read-secret.ts";
import type { ContentEntry } from "../domain/content.ts";
import { CommandFailed } from "./command-failed.ts";

/** The entry of `key`, or all entries if `key` is undefined. Throws CommandFailed when the secret has no such key. */
export function entriesOf(
  { path, version, content }: Pick<Secret, "path" | "version" | "content">,
  key: string | undefined,
): readonly ContentEntry[] {
  if (key === undefined) return content.entries();
  const selected = content.entries().filter((entry) => entry.key === key);
  if (selected.length === 0)
    throw new CommandFailed("notFound", `version ${version} of ${path} does not have the key ${JSON.stringify(key)}`);
  return selected;
}
