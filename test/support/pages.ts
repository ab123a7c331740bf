import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A document: its path relative to the root of the repository, where tests run, and its text. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** Reads one document. */
export function page(path: string): Page {
  return { path, text: readFileSync(path, "utf8") };
}

/** Every Markdown document of the repository. */
export function allPages(): Page[] {
  const docs = readdirSync("docs", { recursive: true, encoding: "utf8" }).map((name) => join("docs", name));
  return ["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", join("certs", "README.md"), ...docs]
    .filter((path) => path.endsWith(".md"))
    .map(page);
}

/** A row of a table, by column heading. */
export type Row = Readonly<Record<string, string>>;

/** The rows of the table with these columns in this order. Throws if the page has no such table. */
export function table({ path, text }: Page, ...columns: readonly string[]): Row[] {
  const lines = text.split("\n");
  const heading = lines.findIndex((line) => line.startsWith("|") && cellsOf(line).join("|") === columns.join("|"));
  if (heading === -1) throw new Error(`${path} has no table with the columns ${columns.join(", ")}`);
  const rest = lines.slice(heading + 2);
  const end = rest.findIndex((line) => !line.startsWith("|"));
  return rest
    .slice(0, end)
    .map((line) => Object.fromEntries(cellsOf(line).map((cell, i) => [columns[i] ?? "beyond", cell])));
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The inline code of a text: everything between backticks, except in code blocks. */
export function inlineCode({ text }: Page): string[] {
  return [...withoutCodeBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
}

/** The text outside of its code blocks. */
function withoutCodeBlocks(text: string): string {
  return text.replace(/^```.*?^```$/gms, "");
}

/**
 * The code blocks of one language below a heading, up to the next heading; "" is the language of output. Throws if the
 * page has no such heading, or no such block below it.
 */
export function codeBlocks({ path, text }: Page, heading: string, language: string): string[] {
  const [, below] = text.split(new RegExp(`^#+ ${heading}$`, "m"));
  const section = below?.split(/^#+ (?=\p{Lu})/mu, 1)[0] ?? "";
  // All blocks are matched, because the end of one looks like the beginning of a block without a language.
  const blocks = [...section.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, name, block]) =>
    name === language ? [block!] : [],
  );
  if (blocks.length === 0) throw new Error(`${path} has no block of ${language} below "${heading}"`);
  return blocks;
}

/**
 * The anchors of a page's headings, as GitHub creates them: lower case, with dashes for spaces, without punctuation.
 */
export function anchorsOf({ text }: Page): string[] {
  return [...withoutCodeBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
