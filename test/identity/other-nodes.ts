import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { LONG } from "../support/long-form.ts";

/** Another Node than the one that runs. */
export type OtherNode =
  | { readonly kind: "here"; readonly name: string; readonly path: string }
  | { readonly kind: "missing"; readonly name: string; readonly why: string };

/** The releases on which Coffer runs, see "engines" in package.json. */
const RELEASES = ["20", "22", "24", "26"];

const CACHE = resolve("node_modules/.cache/coffer-nodes");

/** Those of COFFER_TEST_NODES, paths with colons between; otherwise in the long form one of each other release. */
export function otherNodes(): readonly OtherNode[] {
  const paths = process.env["COFFER_TEST_NODES"]?.split(":") ?? [];
  if (paths.length > 0) return paths.map((path) => ({ kind: "here", name: path, path }));
  const others = RELEASES.filter((release) => !process.version.startsWith(`v${release}.`));
  return LONG ? others.map(fetched) : [];
}

/** From the npm registry, where Node's own binaries are packages; kept for the next time. */
function fetched(release: string): OtherNode {
  const name = `Node ${release}`;
  const program = `node-${process.platform}-${process.arch}`;
  const folder = join(CACHE, release);
  const path = join(folder, "node_modules", program, "bin/node");
  try {
    if (!existsSync(path)) install(`${program}@${release}`, folder);
    return { kind: "here", name, path };
  } catch (error) {
    const [told] = String((error as { stderr?: Buffer }).stderr ?? error).split("\n");
    return { kind: "missing", name, why: `npm can't fetch ${program}@${release}: ${told}` };
  }
}

function install(what: string, folder: string): void {
  const quiet = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  execFileSync("npm", ["install", ...quiet, "--prefix", folder, what], { stdio: ["ignore", "ignore", "pipe"] });
}
