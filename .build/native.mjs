// Builds better-sqlite3's native part, once, after its package has been unpacked.
//
// Its own install script is switched off in package.json ("allowScripts") because it can't be told where Node's
// headers are: node-gyp downloads them, which fails on a machine that reaches only its package registry. Here the
// prebuilt binary is tried first, as the package itself does; else the headers beside the node binary are used.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("better-sqlite3/package.json"));

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

/** A network that swallows packets must not hold up the build: after a minute the compiler is faster. */
function prebuilt() {
  const installer = require.resolve("prebuild-install/bin.js", { paths: [folder] });
  const options = { cwd: folder, stdio: "ignore", timeout: 60_000 };
  return spawnSync(process.execPath, [installer], options).status === 0;
}

/** Through npm, which brings the node-gyp that belongs to it. */
function compiled() {
  const nodedir = headersBesideNode();
  // Seen from the compiler's folder: an absolute path could have a space in it.
  const header = relative(join(folder, "build"), join(import.meta.dirname, "object-wrap.h"));
  const env = {
    ...process.env,
    CXXFLAGS: `${process.env.CXXFLAGS ?? ""} -include ${header}`,
    ...(nodedir === undefined ? {} : { npm_config_nodedir: nodedir }),
  };
  const build = spawnSync("npm run --silent build-release", { cwd: folder, env, shell: true, encoding: "utf8" });
  if (build.status !== 0) console.error(build.stdout, build.stderr);
  return build.status === 0;
}

if (!works() && !(prebuilt() && works())) {
  console.error("coffer: no prebuilt SQLite for this Node, compiling it (about a minute)");
  if (!compiled() || !works()) {
    console.error(
      "coffer: better-sqlite3 did not build. It needs a C++ compiler, make and python3, and Node's headers",
    );
    console.error("        (include/node beside the node binary, or a network that reaches nodejs.org).");
    process.exit(1);
  }
}
