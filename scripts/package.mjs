// Makes the package of a release, "coffer-VERSION.tgz": "npm run package [-- FOLDER]" writes it into dist-package, or
// into FOLDER. It is compiled and assembled in a separate folder, so that it does not replace files of a running
// server, and contains nothing that an earlier build left in dist.
//
// It has the program, the client with its declarations, the proto, and the source of SQLite as a bundled package
// without its install script: nothing is compiled or fetched by npm, and a workload that imports the client needs no
// compiler. The first `coffer serve` compiles SQLite with a script in the package
// (docs/decisions/0013-client-and-package.md).
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/** The files that are copied from the clone unchanged. */
const COPIED = ["README.md", "CHANGELOG.md", "LICENSE", "proto/README.md", "proto/buf.yaml", "proto/descriptors.binpb"];
const PROTOS = ["proto/coffer", "proto/google", "proto/grpc"];
const NATIVE = ["native.mjs", "build-lock.mjs", "node-release.mjs", "object-wrap.h"];

/** The package with the native part, and what its loader needs. */
const BUNDLED = ["better-sqlite3", "bindings", "file-uri-to-path"];

/**
 * The fields of package.json that are useful only in a clone. `private` stays, to prevent an accidental `npm publish`.
 */
const OF_THE_CLONE = ["scripts", "devDependencies", "overrides", "allowScripts", "files"];

const run = (program, ...words) => execFileSync(program, words, { stdio: ["ignore", "pipe", "inherit"] });
const require = createRequire(import.meta.url);
const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

function compile(stage) {
  run("node_modules/.bin/tsc", "-p", "tsconfig.package.json", "--outDir", join(stage, "dist/src"));
  run(process.execPath, "scripts/commit.mjs", join(stage, "dist"));
}

/**
 * The declarations that coffer/client reaches. tsc leaves ".ts" in their imports, which only its newest releases
 * accept, so this replaces it with ".js".
 */
function declare(stage) {
  const all = mkdtempSync(join(tmpdir(), "coffer-declarations-"));
  run("node_modules/.bin/tsc", "-p", "tsconfig.declarations.json", "--outDir", all);
  const reached = new Set();
  const reach = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = readFileSync(join(all, file), "utf8");
    for (const [, name] of text.matchAll(/"(\.{1,2}\/[^"]+)\.ts"/g)) reach(join(dirname(file), `${name}.d.ts`));
    const rewritten = text.replace(/"(\.{1,2}\/[^"]+)\.ts"/g, '"$1.js"');
    writeFileSync(join(stage, "dist/src", file), rewritten);
  };
  reach("client/index.d.ts");
  rmSync(all, { recursive: true });
}

function bundle(stage) {
  for (const name of BUNDLED) {
    const from = dirname(require.resolve(`${name}/package.json`));
    const keep = (path) => !["build", "node_modules", "test"].includes(relative(from, path));
    cpSync(from, join(stage, "node_modules", name), { recursive: true, filter: keep });
  }
  const manifest = join(stage, "node_modules/better-sqlite3/package.json");
  const { scripts, dependencies, devDependencies, ...rest } = readJson(manifest);
  const { "prebuild-install": _, ...needed } = dependencies;
  // Without `gypfile: false`, npm would compile the package when it is installed, because it has a binding.gyp.
  writeJson(manifest, {
    ...rest,
    gypfile: false,
    dependencies: needed,
    scripts: { "build-release": scripts["build-release"] },
  });
}

function describePackage(stage) {
  const manifest = readJson("package.json");
  for (const key of OF_THE_CLONE) delete manifest[key];
  const files = ["dist/src/**/*.js", "dist/src/**/*.d.ts", "dist/src/commit", "proto", "scripts", "CHANGELOG.md"];
  writeJson(join(stage, "package.json"), { ...manifest, files, bundleDependencies: ["better-sqlite3"] });
}

const folder = resolve(process.argv[2] ?? "dist-package");
const stage = mkdtempSync(join(tmpdir(), "coffer-package-"));
try {
  compile(stage);
  declare(stage);
  bundle(stage);
  describePackage(stage);
  for (const path of [...COPIED, ...PROTOS]) cpSync(path, join(stage, path), { recursive: true });
  mkdirSync(join(stage, "scripts"));
  for (const file of NATIVE) cpSync(join("scripts", file), join(stage, "scripts", file));
  mkdirSync(folder, { recursive: true });
  const [{ filename }] = JSON.parse(run("npm", "pack", stage, "--json", "--pack-destination", folder));
  console.log(join(folder, filename));
} finally {
  rmSync(stage, { recursive: true });
}
