// Builds better-sqlite3's native part, once, after its package has been unpacked.
//
// Its own install script is switched off in package.json ("allowScripts") because it can't be told where Node's
// headers are: node-gyp downloads them, which fails on a machine that reaches only its package registry. Here the
// prebuilt binary is tried first, as the package itself does; else the headers beside the node binary are used.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("better-sqlite3/package.json"));

/** Another Node than the one that built it can't load it: trying is the only sure test. */
function loads() {
  const probe = `new (require(${JSON.stringify(folder)}))(":memory:").close()`;
  return spawnSync(process.execPath, ["-e", probe], { stdio: "ignore" }).status === 0;
}

/** The folder above include/node, or undefined: node-gyp calls it nodedir. */
function headersBesideNode() {
  const prefix = resolve(dirname(process.execPath), "..");
  return existsSync(join(prefix, "include/node/node_api.h")) ? prefix : undefined;
}

/** A network that swallows packets must not hold up the build: after a minute the compiler is faster. */
function prebuilt() {
  const installer = require.resolve("prebuild-install/bin.js", { paths: [folder] });
  const options = { cwd: folder, stdio: "ignore", timeout: 60_000 };
  return spawnSync(process.execPath, [installer], options).status === 0;
}

/** Through npm, which brings the node-gyp that belongs to it. */
function compiled() {
  const nodedir = headersBesideNode();
  const env = nodedir === undefined ? process.env : { ...process.env, npm_config_nodedir: nodedir };
  const build = spawnSync("npm run --silent build-release", { cwd: folder, env, shell: true, encoding: "utf8" });
  if (build.status !== 0) console.error(build.stdout, build.stderr);
  return build.status === 0;
}

if (!loads() && !(prebuilt() && loads())) {
  console.error("coffer: no prebuilt SQLite for this Node, compiling it (about a minute)");
  if (!compiled() || !loads()) {
    console.error(
      "coffer: better-sqlite3 did not build. It needs a C++ compiler, make and python3, and Node's headers",
    );
    console.error("        (include/node beside the node binary, or a network that reaches nodejs.org).");
    process.exit(1);
  }
}
