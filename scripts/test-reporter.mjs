// The "spec" reporter of Node, with the positions of compiled code replaced by those of the TypeScript. With
// --enable-source-maps, each process of a test would read the source maps of all its modules: up to a sixth of its CPU time.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";

const POSITION = /(?:file:\/\/)?([^\s():"'`]*\bdist-test\/[^\s():"'`]+\.js):(\d+):(\d+)/g;

const maps = new Map();

function mapOf(file) {
  if (!maps.has(file)) maps.set(file, new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8"))));
  return maps.get(file);
}

/** The position in TypeScript, or the position itself if its file has no map. */
function original(position, file, line, column) {
  try {
    const { originalSource, originalLine, originalColumn } = mapOf(file).findEntry(line - 1, column - 1);
    return `${join(dirname(file), originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
  } catch {
    return position;
  }
}

// biome-ignore lint/style/noDefaultExport: Node finds a reporter by its default export
export default async function* (events) {
  for await (const text of Readable.from(events).pipe(new spec())) yield String(text).replaceAll(POSITION, original);
}
