// Makes the package of a release, "coffer-VERSION.tgz": "npm run package [-- FOLDER]" writes it into dist-package, or
// into FOLDER. It is compiled and assembled in a separate folder, so that it does not replace files of a running
// server, and contains nothing that an earlier build left in dist.
//
// It has the program, the client with its declarations, the proto, and two bundled packages without their install
// scripts: the source of SQLite, and koffi. npm compiles nothing, and a workload that imports the client needs no
// compiler. The first `coffer serve` compiles SQLite with a script in the package
// (docs/decisions/0013-client-and-package.md). koffi's binaries are npm packages, one for each platform; npm installs the
// one that fits.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/** The files that are copied from the clone unchanged. */
const COPIED = ["README.md", "CHANGELOG.md", "LICENSE", "proto/README.md", "proto/buf.yaml", "proto/descriptors.binpb"];
const PROTOS = ["proto/coffer", "proto/google", "proto/grpc"];
const NATIVE = ["native.mjs", "build-lock.mjs", "node-release.mjs", "object-wrap.h"];

const hasNone = (names) => (path) => !names.includes(path);
const hasNoSource = hasNone(["doc", "lib", "vendor", "cnoke.cjs"]);

/** The bundled packages, and which of their files are packed. The second and the third are the loader of the first. */
const BUNDLED = {
  "better-sqlite3": hasNone(["build", "node_modules", "test"]),
  bindings: () => true,
  "file-uri-to-path": () => true,
  koffi: (path) => hasNoSource(path) && !/\.(asm|cc|def|hh|inc|S)$|\/abi$|CMakeLists/.test(path),
};

/**
 * The fields of package.json that are useful only in a clone. `private` stays, to prevent an accidental `npm publish`.
 */
const OF_THE_CLONE = ["scripts", "devDependencies", "overrides", "allowScripts", "files"];

const run = (program, ...words) => execFileSync(program, words, { stdio: ["ignore", "pipe", "inherit"] });
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
  for (const [name, isPacked] of Object.entries(BUNDLED)) {
    const from = join("node_modules", name);
    const filter = (path) => isPacked(relative(from, path));
    cpSync(from, join(stage, "node_modules", name), { recursive: true, filter });
    rewriteManifest(join(stage, "node_modules", name, "package.json"));
  }
}

/**
 * Removes what npm would run at install, and the package that only better-sqlite3's install script uses. Also removes the
 * optional packages, which npm does not install for a bundled package: Coffer's own manifest names them.
 */
function rewriteManifest(file) {
  const { scripts = {}, dependencies = {}, devDependencies, optionalDependencies, ...rest } = readJson(file);
  const { "prebuild-install": _, ...needed } = dependencies;
  const { "build-release": build } = scripts;
  const kept = build === undefined ? {} : { scripts: { "build-release": build } };
  // Without `gypfile: false`, npm would compile a package that has a binding.gyp when it is installed.
  writeJson(file, { ...rest, gypfile: false, dependencies: needed, ...kept });
}

function describePackage(stage) {
  const manifest = readJson("package.json");
  for (const key of OF_THE_CLONE) delete manifest[key];
  const files = ["dist/src/**/*.js", "dist/src/**/*.d.ts", "dist/src/commit", "proto", "scripts", "CHANGELOG.md"];
  const { optionalDependencies } = readJson("node_modules/koffi/package.json");
  const bundleDependencies = ["better-sqlite3", "koffi"];
  writeJson(join(stage, "package.json"), { ...manifest, files, optionalDependencies, bundleDependencies });
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
