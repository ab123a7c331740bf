import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { PROGRAM, runToEnd } from "../support/cli-kit.ts";
import { API, ServerKit } from "../support/server-kit.ts";

/** What a command has loaded: the folders of src with their files, and the packages. */
interface Loaded {
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

// Most of a command's time is spent on loading modules. These tests check which modules it loads, because times differ
// between machines; bench/command-line.ts measures times.
describe("a command loads only what it needs", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-loading-"));
  let kit: ServerKit;
  let env: Record<string, string>;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
    const caller = kit.caller(API);
    assert.equal((await caller.put({ path: "shop/api/x", data: { a: "b" } })).code, "OK");
    caller.close();
  });
  after(async () => {
    await kit.stop();
    rmSync(folder, { recursive: true });
  });

  /** Runs a command under a hook of Node's loader that records each module. */
  async function loadedBy(...words: readonly string[]): Promise<Loaded> {
    const list = join(folder, "modules");
    rmSync(list, { force: true });
    const hook = `import { appendFileSync } from "node:fs";
      export const load = (url, context, next) => (appendFileSync(${JSON.stringify(list)}, url + "\\n"), next(url, context));`;
    const asUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
    const register = asUrl(`import { register } from "node:module"; register(${JSON.stringify(asUrl(hook))});`);
    const ran = await runToEnd(process.execPath, ["--import", register, PROGRAM, ...words], { env });
    assert.equal(ran.code, 0, ran.stderr);
    const urls = readFileSync(list, "utf8").split("\n");
    const matches = (pattern: RegExp) => [...new Set(urls.flatMap((url) => pattern.exec(url)?.[1] ?? []))].sort();
    return {
      files: matches(/\/src\/((?!.*node_modules).*)$/),
      packages: matches(/node_modules\/((?:@[^/]+\/)?[^/]+)/),
    };
  }

  it("for --help: no command", async () => {
    const { files, packages } = await loadedBy("--help");
    assert.deepEqual(packages, ["commander"]);
    assert.deepEqual(
      files.filter((file) => !/^(main|cli\/[^/]+)\.js$/.test(file)),
      [],
    );
  });

  it("for get: the client and an identity from files, and nothing of a server", async () => {
    const { files, packages } = await loadedBy("get", "shop/api/x");
    assert.deepEqual(packages, ["@grpc/grpc-js", "commander"]);
    assert.deepEqual(
      files.filter((file) => /^cli\/commands\//.test(file)),
      ["cli/commands/get.js"],
    );
    const server =
      /^(admission|grpc|app\/server|process|store|engine|authorization|sealing|persistence|observability|pki)\//;
    const unused = files.filter((file) => server.test(file) || file === "workload-api/workload-api-source.js");
    assert.deepEqual(unused, []);
  });

  it("for watch: the client, and nothing of a server or an agent", async () => {
    const { files, packages } = await loadedBy("watch", "shop/api/x", "--once");
    assert.deepEqual(packages, ["@grpc/grpc-js", "commander"]);
    assert.ok(files.includes("cli/watch/watch-session.js"));
    const unused = files.filter((file) => /^(agent|grpc|watch|store|engine|persistence)\//.test(file));
    assert.deepEqual(unused, []);
  });

  // The control: the hook records loaded packages.
  it("for --version: SQLite", async () => {
    assert.deepEqual((await loadedBy("--version")).packages, ["better-sqlite3", "commander"]);
  });
});

// The command line maps the errors of modules that need a native addon to exit codes. It must not load those modules
// for that: a client would fail where the addon is missing, and every command would take longer.
describe("importing the command line", () => {
  const SRC = new URL("../../src/", import.meta.url);
  const commands = readdirSync(new URL("cli/commands/", SRC)).filter((name) => name.endsWith(".js"));

  /** The native addons that a process loads when it imports these files of src. */
  async function addonsOf(...files: readonly string[]): Promise<string[]> {
    const urls = files.map((file) => new URL(file, SRC).href);
    return addonsAfter(`for (const url of ${JSON.stringify(urls)}) await import(url);`);
  }

  async function addonsAfter(statements: string): Promise<string[]> {
    const script = `${statements}
      const loaded = process.report.getReport().sharedObjects.filter((file) => file.endsWith(".node"));
      process.stdout.write(JSON.stringify(loaded.map((file) => file.slice(file.lastIndexOf("/") + 1))));`;
    const ran = await runToEnd(process.execPath, ["--input-type=module", "--eval", script], { env: {} });
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout.toString()) as string[];
  }

  it("loads no native addon: neither with all commands nor with the mapping of errors to exit codes", async () => {
    assert.ok(commands.length > 10);
    const files = ["program.js", "error-text.js", "exit-code.js", "client-connection.js"].map((name) => `cli/${name}`);
    assert.deepEqual(await addonsOf(...files, ...commands.map((name) => `cli/commands/${name}`)), []);
  });

  // The control: the test detects a loaded addon.
  it("differs from importing the server, which loads sodium", async () => {
    assert.deepEqual(await addonsOf("app/server.js"), ["sodium-native.node"]);
  });

  // koffi can call any function of the C library. Only a server loads it.
  it("and importing the placement of connections load no koffi, until connections are to be passed", async () => {
    const descriptor = "admission/descriptor.js";
    assert.deepEqual(await addonsOf("admission/placement.js", "admission/adoption.js", descriptor), []);
    const { href } = new URL(descriptor, SRC);
    assert.deepEqual(await addonsAfter(`await (await import(${JSON.stringify(href)})).loadDuplicate();`), [
      "koffi.node",
    ]);
  });
});
