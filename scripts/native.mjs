// Builds better-sqlite3's native part once, after its package has been unpacked.
//
// It is always compiled from the source in the package, which the lock file's integrity covers. The package's own
// install script would download a prebuilt binary from another host, and nothing pins that binary. The script is
// disabled in package.json ("allowScripts"). The install script also can't use existing headers of Node: node-gyp
// downloads them, which fails on a machine that reaches only its package registry. This script uses the headers beside
// the node binary, if they exist.
import "./node-release.mjs";
import { withBuildLock } from "./build-lock.mjs";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("better-sqlite3/package.json"));

// Milliseconds between two progress lines during one step of the compiler.
const PROGRESS_MS = 10_000;

// SQLite calls fsync unless this flag says that the system has a working fdatasync. SQLite needs no more than fdatasync, which
// leaves out metadata that no read needs, such as the time of the last change. With fsync, a commit that changes this time also
// waits for the journal of the file system, with the changes of all other programs in it.
const SQLITE_FLAGS = "-DHAVE_FDATASYNC=1";

/** Has the flags of the last compilation. */
const FLAGS_FILE = join(folder, "build/coffer-flags");

/**
 * Whether the binary works. Only running it can show that. A binary for another Node can't be loaded. A binary with the
 * fault that object-wrap.h describes can be loaded, and aborts the process at the first garbage collection.
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

/** Whether the binary works and was compiled with these flags. */
function isUpToDate() {
  return existsSync(FLAGS_FILE) && readFileSync(FLAGS_FILE, "utf8") === SQLITE_FLAGS && works();
}

/** The folder that contains include/node, which node-gyp calls nodedir; undefined if there is none. */
function headersBesideNode() {
  const prefix = resolve(dirname(process.execPath), "..");
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** Compiles through npm, which contains node-gyp. Resolves to whether it succeeded. */
function compiled() {
  const nodedir = headersBesideNode();
  // Relative to the compiler's folder, because an absolute path could contain a space.
  const header = relative(join(folder, "build"), join(import.meta.dirname, "object-wrap.h"));
  const env = {
    ...process.env,
    CFLAGS: `${process.env.CFLAGS ?? ""} ${SQLITE_FLAGS}`,
    CXXFLAGS: `${process.env.CXXFLAGS ?? ""} -include ${header}`,
    ...(nodedir === undefined ? {} : { npm_config_nodedir: nodedir }),
  };
  const build = spawn("npm run --silent build-release", { cwd: folder, env, shell: true });
  return withProgress(build);
}

/** Prints each step of the compiler with the time so far, and all of its output if it fails. */
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
  // The longest step takes minutes.
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
  // Another process may have compiled SQLite while this one waited.
  if (isUpToDate()) return;
  console.error("coffer: compiling SQLite once, which takes one to five minutes");
  if (!(await compiled()) || !works()) {
    console.error(
      "coffer: better-sqlite3 could not be built. It needs a C++ compiler, make, python3, and Node's headers",
    );
    console.error("        (include/node beside the node binary, or network access to nodejs.org).");
    process.exit(1);
  }
  mkdirSync(dirname(FLAGS_FILE), { recursive: true });
  writeFileSync(FLAGS_FILE, SQLITE_FLAGS);
  console.error("coffer: SQLite is compiled");
}

if (!isUpToDate()) await withBuildLock(build);
