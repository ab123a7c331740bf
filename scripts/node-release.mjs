// Ends a build on a release of Node that the program does not run on. It is imported before anything else: SQLite would
// otherwise be compiled for minutes, and the server then refuse to start. Needs no package, since none is installed yet.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** Whether a release such as "22.12.1" is in one of the lines of engines.node: each is "^" and its oldest release. */
function isSupported(release) {
  const [major, ...rest] = release.split(".").map(Number);
  return engines.node.split(" || ").some((line) => {
    const [lineMajor, ...oldest] = line.slice(1).split(".").map(Number);
    const differs = oldest.findIndex((number, index) => number !== rest[index]);
    return lineMajor === major && (differs === -1 || rest[differs] > oldest[differs]);
  });
}

if (!isSupported(process.versions.node)) {
  console.error(
    `coffer: this is Node ${process.versions.node}, and Coffer runs on ${engines.node}. Nothing was built.`,
  );
  process.exit(1);
}
