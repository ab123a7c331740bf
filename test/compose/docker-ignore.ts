import { posix } from "node:path";

/** Returns whether a path of the build context, relative and with slashes, is excluded from the build. */
export type Ignores = (path: string) => boolean;

/**
 * Reads a .dockerignore as Docker does: patterns of Go's filepath.Match and "**", each for a path or any folder above
 * it. "!" includes a path again. The last pattern that matches decides.
 */
export function readDockerIgnore(text: string): Ignores {
  const rules = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ isOut: !line.startsWith("!"), pattern: patternOf(line.replace(/^!/, "")) }));
  return (path) => {
    const paths = withFoldersAbove(path);
    return rules.findLast(({ pattern }) => paths.some((each) => pattern.test(each)))?.isOut ?? false;
  };
}

function withFoldersAbove(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

const WILDCARDS: Readonly<Record<string, string>> = { "**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]" };

function patternOf(line: string): RegExp {
  const clean = posix.normalize(line).replace(/^\/|\/$/g, "");
  if (/[[\]\\]/.test(clean)) throw new Error(`a pattern that these tests do not support: ${line}`);
  const source = clean.replaceAll(/\*\*\/|\*\*|[*?]|[.+^${}()|]/g, (part) => WILDCARDS[part] ?? `\\${part}`);
  return new RegExp(`^${source}$`);
}
