// Builds better-sqlite3's native part, once, after its package has been unpacked.
//
// It is always compiled, from the source in the package, which the lock file's integrity covers. The prebuilt binary that
// the package's own install script would fetch comes from another host, and nothing pins what that answers. That script
// is switched off in package.json ("allowScripts") also because it can't be told where Node's headers are: node-gyp
// downloads them, which fails on a machine that reaches only its package registry. Here those beside the node binary are
// used, if they are there.
import "./node-release.mjs";
import { alone } from "./alone.mjs";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("better-sqlite3/package.json"));

// Milliseconds between two lines about how far the compiler is, while it is at one step.
const PROGRESS_MS = 10_000;

/**
 * Trying is the only sure test. A binary for another Node can't be loaded; one that was compiled as object-wrap.h warns
 * of is loaded, and aborts the process when the first garbage is collected.
 */
function works() {
  const probe = `
    const Database = require(${JSON.stringify(folder)});
    for (let i = 0; i < 100; i++) new Database(":memory:").close();
    let garbage = [];
    for (let i = 0; i < 1e6; i++) garbage.push({ i }) > 1e4 && (garbage = []);
  `;
  return spawnSync(process.execPath, ["-e", probe], { stdio: "ignore" }).status === 0;
}

/** The folder above include/node, or undefined: node-gyp calls it nodedir. */
function headersBesideNode() {
  const prefix = resolve(dirname(process.execPath), "..");
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** Through npm, which brings the node-gyp that belongs to it. Resolves to whether that went well. */
function compiled() {
  const nodedir = headersBesideNode();
  // Seen from the compiler's folder: an absolute path could have a space in it.
  const header = relative(join(folder, "build"), join(import.meta.dirname, "object-wrap.h"));
  const env = {
    ...process.env,
    CXXFLAGS: `${process.env.CXXFLAGS ?? ""} -include ${header}`,
    ...(nodedir === undefined ? {} : { npm_config_nodedir: nodedir }),
  };
  const build = spawn("npm run --silent build-release", { cwd: folder, env, shell: true });
  return withProgress(build);
}

/** Says each step of the compiler as it begins, and how long it has taken so far; all that it wrote when it fails. */
function withProgress(build) {
  const begun = Date.now();
  let written = "";
  let step = "preparing";
  const say = () =>
    console.error(`coffer: compiling SQLite, ${Math.round((Date.now() - begun) / 1000)} s so far: ${step}`);
  for (const stream of [build.stdout, build.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      written += `${line}\n`;
      if (!/^ {2}[A-Z_]+\(target\) /.test(line)) return;
      step = line.trim();
      say();
    });
  }
  // The largest step alone takes minutes.
  const timer = setInterval(say, PROGRESS_MS);
  return new Promise((done) => {
    build.on("close", (status) => {
      clearInterval(timer);
      if (status !== 0) console.error(written);
      done(status === 0);
    });
  });
}

async function build() {
  // Another process may have compiled it while this one waited.
  if (works()) return;
  console.error("coffer: compiling SQLite, once; this takes one to five minutes");
  if (!(await compiled()) || !works()) {
    console.error(
      "coffer: better-sqlite3 did not build. It needs a C++ compiler, make and python3, and Node's headers",
    );
    console.error("        (include/node beside the node binary, or a network that reaches nodejs.org).");
    process.exit(1);
  }
  console.error("coffer: SQLite is compiled");
}

if (!works()) await alone(build);
