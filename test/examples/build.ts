import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { codeBlocks, page } from "../support/pages.ts";

/** An example to build, and the requirements of its build. */
export interface Build {
  /** The heading in docs/clients.md. Its first block of sh builds the example, and its second one runs it. */
  readonly heading: string;
  /** The folders of examples/ that it is made of. */
  readonly folders: readonly string[];
  /** The name of its copy below the cache folder. Test files run at the same time, so each has its own copy. */
  readonly copy: string;
  /** Commands that must succeed before the build, such as `go version`. */
  readonly needs: readonly string[];
  /**
   * Downloads the packages of the example, in the root of the repository. If this fails, the tests are skipped: a
   * registry that can't be reached says nothing about the example. Undefined if npm is the only registry.
   */
  readonly fetch?: string;
}

/** Where an example was built, and how it is started. */
export interface Built {
  /** A copy of the root of the repository that contains this example. */
  readonly root: string;
  /** The command in docs/clients.md that starts it, in the root of the repository. */
  readonly command: string;
}

const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "coffer", "examples");

/** Why an example can't be built here; false if it can. */
export function missing({ needs, fetch }: Pick<Build, "needs" | "fetch">): string | false {
  const absent = needs.find((command) => spawnSync(command, { shell: true }).status !== 0);
  if (absent !== undefined) return `no \`${absent}\` here`;
  if (fetch === undefined) return false;
  const { status, stderr } = spawnSync("nice", ["-n", "10", "sh", "-ec", fetch], { encoding: "utf8" });
  return status !== 0 && `its packages can't be downloaded: ${stderr.trim().split("\n").at(-1)}`;
}

/** Downloads the packages of examples/python, see {@link Build}. */
export const FETCH_PYTHON =
  'wheels="$(mktemp -d)" && trap "rm -rf $wheels" EXIT && python3 -m pip download --quiet --dest "$wheels" --require-hashes -r examples/python/requirements.txt';

/** Builds an example by the commands of docs/clients.md, in a copy below the user's cache folder. */
export async function build({ heading, folders, copy: name }: Build): Promise<Built> {
  const [commands, command] = codeBlocks(page("docs/clients.md"), heading, "sh");
  const root = join(CACHE, name);
  for (const folder of [...folders.map((each) => join("examples", each)), "proto"]) copy(folder, join(root, folder));
  // A link of an earlier build can point to a clone that no longer exists.
  rmSync(join(root, "node_modules"), { force: true });
  symlinkSync(resolve("node_modules"), join(root, "node_modules"));
  // One job at a low priority, because the machine runs other tests at the same time.
  const env = { ...process.env, CARGO_BUILD_JOBS: "1" };
  const child = spawn("nice", ["-n", "10", "sh", "-ec", commands!], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += String(chunk)));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`building "${heading}" failed:\n${printed}`);
  return { root, command: command!.trim() };
}

/** The files of a build that the next build reuses. */
const BUILT = ["out", "node_modules"];

function copy(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(to)) if (!BUILT.includes(name)) rmSync(join(to, name), { recursive: true });
  const isSource = (file: string) => ![...BUILT, "gen"].some((name) => file === join(from, name));
  cpSync(from, to, { recursive: true, filter: isSource });
}
