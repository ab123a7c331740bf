// Ends a build on a release of Node that Coffer does not support. It is imported first: otherwise SQLite would be compiled
// for minutes, and the server would then refuse to start. It needs no package, because none is installed yet.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** Whether a release such as "22.12.1" is in a line of engines.node. Each line is "^" and its oldest release. */
function isSupported(release) {
  const [major, ...rest] = release.split(".").map(Number);
  return engines.node.split(" || ").some((line) => {
    const [lineMajor, ...oldest] = line.slice(1).split(".").map(Number);
    const differs = oldest.findIndex((number, index) => number !== rest[index]);
    return lineMajor === major && (differs === -1 || rest[differs] > oldest[differs]);
  });
}

if (!isSupported(process.versions.node)) {
  console.error(`coffer: unsupported Node ${process.versions.node}: Coffer needs ${engines.node}. Nothing was built.`);
  process.exit(1);
}
