// Checks that every link in a document leads to a file of the repository, and every anchor to a heading of that file.
// Links to other sites are not followed. Usage: "npm run links", or "node scripts/links.mjs FOLDER" for another repository.
//
// A file that git ignores does not count: a link to it works only for its author.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";

process.chdir(process.argv[2] ?? ".");

const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\0")
  .filter((path) => path !== "" && existsSync(path));
const places = new Set([".", ...tracked.flatMap(withFolders)]);
const pages = new Map(tracked.filter((path) => path.endsWith(".md")).map((path) => [path, readFileSync(path, "utf8")]));

/** A path and all its parent folders. */
function withFolders(path) {
  return path === "." ? [] : [path, ...withFolders(dirname(path))];
}

/** Replaces what the patterns match by spaces, so that the line numbers of the remaining text stay the same. */
function blank(text, ...patterns) {
  return patterns.reduce((left, pattern) => left.replace(pattern, (match) => match.replace(/[^\n]/g, " ")), text);
}

const FENCE = /^ *(```+|~~~+)[^\n]*\n[\s\S]*?^ *\1[`~]*[ \t]*$/gm;
const INLINE_CODE = /(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g;
const COMMENT = /<!--[\s\S]*?-->/g;

const LINKS = [
  // [text](target), ![text](target), [text](<target> "title")
  /\]\(\s*<?([^)\s>]+)>?(?:\s+["'(][^\n]*?["')])?\s*\)/g,
  // [name]: target
  /^ {0,3}\[[^\]\n]+\]:\s*<?([^\s>]+)>?/gm,
  // <a href="target">, <img src="target">
  /<(?:a|img)\b[^>]*\b(?:href|src)="([^"]+)"/g,
];

/**
 * The links of a page to files of the repository, in order, each with its line number. Links with a scheme are left
 * out, because they lead to other sites.
 */
function linksOf(text) {
  const prose = blank(text, FENCE, COMMENT, INLINE_CODE);
  return LINKS.flatMap((pattern) => [...prose.matchAll(pattern)])
    .map(({ 1: link, index }) => ({ link, line: prose.slice(0, index).split("\n").length }))
    .filter(({ link }) => !/^([a-z][a-z\d+.-]*:|\/\/)/i.test(link))
    .sort((one, other) => one.line - other.line);
}

/** The anchors of a page, by the rules of GitHub: its headings, and ids in HTML. A repeated heading gets a number. */
function anchorsOf(text) {
  const prose = blank(text, FENCE, COMMENT);
  const seen = new Map();
  const headings = [...prose.matchAll(/^ {0,3}#{1,6} +(.*?)(?: +#+)? *$/gm)].map(([, heading]) => {
    const slug = slugOf(heading);
    const earlier = seen.get(slug) ?? 0;
    seen.set(slug, earlier + 1);
    return earlier === 0 ? slug : `${slug}-${earlier}`;
  });
  const ids = [...blank(prose, INLINE_CODE).matchAll(/<[^>]*\b(?:id|name)="([^"]+)"/g)].map(([, id]) => id);
  return new Set([...headings, ...ids]);
}

/** The anchor of a heading: lower case, without markup and punctuation, with dashes for spaces. */
function slugOf(heading) {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}

function problemOf(from, link) {
  const [path, anchor] = link.split("#", 2).map(decodeURIComponent);
  const target = path === "" ? from : join(path.startsWith("/") ? "." : dirname(from), path).replace(/\/$/, "");
  if (!places.has(target)) return `${target} does not exist`;
  const page = pages.get(target);
  if (anchor === undefined || page === undefined || anchorsOf(page).has(anchor)) return undefined;
  return `${target} has no heading for #${anchor}`;
}

const links = [...pages].flatMap(([from, text]) => linksOf(text).map((link) => ({ from, ...link })));
const problems = links.flatMap(({ from, link, line }) => {
  const problem = problemOf(from, link);
  return problem === undefined ? [] : [`${from}:${line}: broken link ${link}: ${problem}`];
});
for (const problem of problems) console.error(problem);
console.log(`${links.length} links in ${pages.size} documents, ${problems.length} broken`);
process.exit(problems.length === 0 ? 0 : 1);
