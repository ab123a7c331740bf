import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Ran, runToEnd } from "../support/cli-kit.ts";

describe("the build", () => {
  /** A clone that contains only the scripts of the build. */
  let clone: string;
  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), "coffer-build-"));
    cpSync("scripts", join(clone, "scripts"), { recursive: true });
    for (const file of ["package.json", "package-lock.json", "tsconfig.json"]) cpSync(file, join(clone, file));
  });
  afterEach(() => rmSync(clone, { recursive: true }));

  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    writeFileSync(join(clone, file), text);
  };

  /** Runs a command in the clone. Programs in the clone's `bin` come first on the PATH. */
  const run = (program: string, ...words: string[]): Promise<Ran> => {
    const path = [join(clone, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
    return runToEnd(program, words, { cwd: clone, env: { PATH: path } });
  };

  /** Creates a program in `bin` that only records, as a file, that it ran. Returns that file. */
  function recorder(name: string): string {
    write(`bin/${name}`, `#!/bin/sh\ntouch "${clone}/${name}.ran"\n`);
    chmodSync(join(clone, "bin", name), 0o755);
    return join(clone, `${name}.ran`);
  }

  // Otherwise the build would compile for minutes for a release that the server refuses to start on. Neither npm nor a
  // compiler runs. The control: on a supported release, npm runs.
  it("checks the release of Node before it installs or compiles anything", async () => {
    const npm = recorder("npm");
    const manifest = JSON.parse(readFileSync(join(clone, "package.json"), "utf8"));
    const major = Number.parseInt(process.versions.node, 10);
    const unmet = [`^${major - 1}.0.0`, `^${major}.99.0`, `^${major + 1}.0.0`, `>=${major}.99.0`, `>=${major + 1}.0.0`];
    for (const node of [...unmet, unmet.join(" || ")]) {
      write("package.json", JSON.stringify({ ...manifest, engines: { node } }));
      const refused = await run(process.execPath, "scripts/install.mjs");
      const expected = `coffer: unsupported Node ${process.versions.node}: Coffer needs ${node}. Nothing was built.`;
      assert.deepEqual([refused.code, refused.stderr.trimEnd()], [1, expected]);
    }
    assert.ok(!existsSync(npm));
    for (const node of [manifest.engines.node, `^${major}.0.0`, `>=${major}.0.0`, `>=${major - 1}.99.0`]) {
      rmSync(npm, { force: true });
      write("package.json", JSON.stringify({ ...manifest, engines: { node } }));
      await run(process.execPath, "scripts/install.mjs");
      assert.ok(existsSync(npm), node);
    }
  });

  // The lock file has no checksum of the prebuilt binary of SQLite, so the build never downloads it. The build reports
  // each step of the compiler when the step starts.
  it("compiles SQLite, fetches no binary, and reports its progress", async () => {
    const compiler =
      'console.log("  CC(target) sqlite3.o"); require("fs").writeFileSync("built.js", "module.exports = 1")';
    const scripts = { "build-release": "node compile.js" };
    write("node_modules/better-sqlite3/package.json", JSON.stringify({ main: "index.js", scripts }));
    write("node_modules/better-sqlite3/compile.js", compiler);
    // Like the native binding, it can't be loaded before it is built.
    const binding = 'require("./built.js"); module.exports = class { close() {} };';
    write("node_modules/better-sqlite3/index.js", binding);
    write("node_modules/prebuild-install/package.json", "{}");
    write(
      "node_modules/prebuild-install/bin.js",
      `require("fs").writeFileSync(${JSON.stringify(join(clone, "fetched"))}, "")`,
    );
    const ran = await run(process.execPath, "scripts/native.mjs");
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(!existsSync(join(clone, "fetched")));
    assert.match(ran.stderr, /^coffer: compiling SQLite, \d+ s so far: CC\(target\) sqlite3\.o$/m);
    // The control: a second run compiles nothing.
    assert.equal((await run(process.execPath, "scripts/native.mjs")).stderr, "");
  });

  // A clone whose SQLite was compiled by an earlier release would otherwise keep its slower syncs, without a message.
  it("compiles SQLite again when the flags of the compiler have changed", async () => {
    const flags = join(clone, "node_modules/better-sqlite3/build/coffer-flags");
    const compiler = 'require("fs").appendFileSync("compiled", process.env.CFLAGS)';
    const scripts = { "build-release": `node -e '${compiler}'` };
    write("node_modules/better-sqlite3/package.json", JSON.stringify({ main: "index.js", scripts }));
    write("node_modules/better-sqlite3/index.js", "module.exports = class { close() {} };");
    const build = async () => (await run(process.execPath, "scripts/native.mjs")).stderr.includes("SQLite is compiled");
    assert.deepEqual([await build(), await build()], [true, false]);
    writeFileSync(flags, "-DOF_AN_EARLIER_RELEASE=1");
    assert.deepEqual([await build(), await build()], [true, false]);
    const compiled = readFileSync(join(clone, "node_modules/better-sqlite3/compiled"), "utf8");
    assert.equal(compiled.match(/-DHAVE_FDATASYNC=1/g)?.length, 2, compiled);
  });

  // A new user may start two commands at the same time, and neither finds a compiled SQLite. One compiles, and the
  // other waits for it.
  it("compiles once when two builds start at the same time", async () => {
    // The compiler fails if another one is running in the same folder. It ends when both programs have started.
    const compiler = `const fs = require("fs");
      fs.mkdirSync("compiling");
      const end = () => {
        fs.writeFileSync("built.js", "module.exports = 1");
        fs.rmdirSync("compiling");
      };
      const wait = () => (fs.existsSync(${JSON.stringify(join(clone, "waiting"))}) ? end() : setTimeout(wait, 20));
      wait();`;
    const scripts = { "build-release": "node compile.js" };
    write("node_modules/better-sqlite3/package.json", JSON.stringify({ main: "index.js", scripts }));
    write("node_modules/better-sqlite3/compile.js", compiler);
    write("node_modules/better-sqlite3/index.js", 'require("./built.js"); module.exports = class { close() {} };');
    const build =
      'node scripts/native.mjs 2>&1 | while read -r line; do echo "$line"; case $line in *waiting*) touch waiting;; esac; done';
    const [one, other] = await Promise.all([run("sh", "-c", build), run("sh", "-c", build)]);
    const output = `${one?.stdout}${other?.stdout}`;
    assert.equal(output.match(/waiting for another build of this clone/g)?.length, 1, output);
    assert.equal(output.match(/SQLite is compiled/g)?.length, 1, output);
  });

  // The tests once deleted the program of a running server that `npm run dev` had started.
  it("runs the tests without replacing the program that was built for use", async () => {
    symlinkSync(resolve("node_modules"), join(clone, "node_modules"));
    utimesSync(join(clone, "package-lock.json"), 0, 0);
    write("dist/src/main.js", "the running program");
    write("dist-test/test/stale.test.js", "throw new Error('a deleted test')");
    write("test/one.test.ts", 'import { it } from "node:test";\nit("ran", () => {});\n');
    const ran = await run("npm", "test");
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout.toString(), /✔ ran/);
    assert.equal(readFileSync(join(clone, "dist/src/main.js"), "utf8"), "the running program");
    assert.ok(existsSync(join(clone, "dist-test/test/one.test.js")));
  });
});
