// Writes the commit of the build next to the compiled program, for `coffer --version` and `coffer status`. A build without
// a clone, such as that of the Dockerfile, passes the commit in COMMIT.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];

function git(...words) {
  return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

function commitOfClone() {
  try {
    const modified = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("rev-parse", "--short=12", "HEAD")}${modified ? "-modified" : ""}`;
  } catch {
    return "unknown";
  }
}

mkdirSync(join(folder, "src"), { recursive: true });
writeFileSync(join(folder, "src", "commit"), `${process.env.COMMIT || commitOfClone()}\n`);
