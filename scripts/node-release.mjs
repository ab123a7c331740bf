// Ends a build on a release of Node that Coffer does not support. Other scripts import this file first: otherwise
// SQLite would be compiled for minutes, and the server would then refuse to start. It needs no package, because none is
// installed yet.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/**
 * Whether a release such as "22.12.1" satisfies engines.node. Each of its ranges is "^" with the oldest supported release of
 * one line, or ">=" with a release from which on every release is supported.
 */
function isSupported(release) {
  const [major, ...rest] = release.split(".").map(Number);
  return engines.node.split(" || ").some((range) => {
    const [, operator, oldest] = /^(\^|>=)([\d.]+)$/.exec(range);
    const [line, ...others] = oldest.split(".").map(Number);
    const differs = others.findIndex((number, index) => number !== rest[index]);
    const isNewer = differs === -1 || rest[differs] > others[differs];
    return line === major ? isNewer : operator === ">=" && major > line;
  });
}

if (!isSupported(process.versions.node)) {
  console.error(`coffer: unsupported Node ${process.versions.node}: Coffer needs ${engines.node}. Nothing was built.`);
  process.exit(1);
}
