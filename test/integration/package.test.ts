import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { formatAddress } from "../../src/domain/address.ts";
import { otherNodes } from "../identity/other-nodes.ts";
import { callerVariables } from "../support/cli-caller.ts";
import { ofThisFile } from "../support/children.ts";
import { type Ran, runToEnd } from "../support/cli-kit.ts";
import { type Example, commentExamples, pageExamples } from "../support/documented-examples.ts";
import { API, POLICY, ServerKit } from "../support/server-kit.ts";
import { ServerProcess } from "../support/server-process.ts";

/** The pages whose TypeScript blocks are programs. */
const PAGES = ["README.md", "docs/clients-typescript.md"];

/** The packages and folders that only the server needs. The client loads none of them. */
const SERVER_PACKAGES = [
  "better-sqlite3",
  "koffi",
  "sodium-native",
  "winston",
  "prom-client",
  "commander",
  "yaml",
  "handlebars",
  "node-forge",
  "grpc-health-check",
];
const SERVER_FOLDERS =
  /\/dist\/src\/(admission|grpc|store|engine|authorization|sealing|persistence|observability|pki|app|agent|cli|process)\//;

describe("the packed package", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-package-"));
  const project = join(folder, "project");
  const prefix = join(folder, "prefix");
  const path = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
  let packed: string;
  before(async () => {
    const made = await runToEnd(process.execPath, ["scripts/package.mjs", folder], { env: { PATH: path } });
    assert.equal(made.code, 0, made.stderr);
    packed = made.stdout.toString().trim();
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), '{ "name": "workload", "private": true, "type": "module" }');
    await npm("install", packed);
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs npm as a user does, except that it prefers packages in its cache. */
  async function npm(...words: readonly string[]): Promise<void> {
    const ran = await runToEnd("npm", [...words, "--prefer-offline", "--no-audit", "--no-fund"], {
      cwd: project,
      env: { PATH: path },
    });
    assert.equal(ran.code, 0, ran.stderr);
  }

  const node = (words: readonly string[], env: Record<string, string> = {}, program = process.execPath): Promise<Ran> =>
    runToEnd(program, words, { cwd: project, env: { PATH: path, ...env } });

  it("has the program, the declarations and the proto, and no tests", async () => {
    const installed = join(project, "node_modules/coffer");
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    for (const file of ["dist/src/main.js", "dist/src/client/index.d.ts", "proto/coffer/v1/coffer.proto", "LICENSE"]) {
      assert.ok(files.includes(file), file);
    }
    const ofCoffer = files.filter((file) => !file.startsWith("node_modules"));
    assert.deepEqual(
      ofCoffer.filter((file) => /test|bench|\.map$|(?<!\.d)\.ts$/.test(file)),
      [],
    );
    // Only the newest compilers can read declarations that import ".ts" files.
    const declarations = ofCoffer.filter((file) => file.endsWith(".d.ts"));
    for (const file of declarations)
      assert.doesNotMatch(readFileSync(join(installed, file), "utf8"), /from "\.[^"]*\.ts"/, file);
  });

  // No checksum pins the prebuilt SQLite, and compiling it takes minutes. A workload that uses the client needs
  // neither.
  it("has no install script, and no bundled package has one", () => {
    const installed = join(project, "node_modules/coffer");
    const manifests = [
      installed,
      ...["better-sqlite3", "bindings", "file-uri-to-path", "koffi"].map((name) =>
        join(installed, "node_modules", name),
      ),
    ];
    for (const manifest of manifests) {
      const { scripts = {}, gypfile } = JSON.parse(readFileSync(join(manifest, "package.json"), "utf8"));
      assert.deepEqual(
        Object.keys(scripts).filter((name) => /install|prepare/.test(name)),
        [],
        manifest,
      );
      assert.ok(!existsSync(join(manifest, "binding.gyp")) || gypfile === false, manifest);
    }
    assert.ok(!existsSync(join(installed, "node_modules/better-sqlite3/build")));
  });

  it("passes publint", async () => {
    const { publint } = await import("publint");
    const { messages } = await publint({ pack: { tarball: toArrayBuffer(readFileSync(packed)) }, strict: true });
    assert.deepEqual(messages, []);
  });

  // The control: publint reports a package without its declarations.
  it("would fail publint without its declarations", async () => {
    const { publint } = await import("publint");
    const broken = join(folder, "broken");
    cpSync(join(project, "node_modules/coffer"), broken, { recursive: true });
    rmSync(join(broken, "dist/src/client/index.d.ts"));
    const { messages } = await publint({ pkgDir: broken, pack: false });
    assert.deepEqual(
      messages.map(({ code }) => code),
      ["FILE_DOES_NOT_EXIST"],
    );
  });

  // The package does not promise resolution by node10, or by CommonJS without require of ES modules.
  it("has correct types for each entry point, by arethetypeswrong", async () => {
    const program = resolve("node_modules/@arethetypeswrong/cli/dist/index.js");
    const ran = await node([program, packed, "--profile", "esm-only", "--format", "json"]);
    const { analysis } = JSON.parse(ran.stdout.toString());
    assert.equal(ran.code, 0, ran.stdout.toString());
    assert.ok(Object.hasOwn(analysis.entrypoints, "./client"));
  });

  // The script fails if an exported declaration has no comment, or if a link is broken.
  it("has a complete reference", async () => {
    const out = join(folder, "reference");
    const made = await runToEnd(process.execPath, ["scripts/reference.mjs", out], { env: { PATH: path } });
    assert.equal(made.code, 0, `${made.stdout}${made.stderr}`);
    assert.ok(existsSync(join(out, "classes/CofferClient.html")));
  });

  const nodes = [{ kind: "here", name: "this Node", path: process.execPath } as const, ...otherNodes()];
  for (const other of nodes) {
    const skip = other.kind === "missing" ? other.why : false;
    it(`is imported by ES modules and required by CommonJS, on ${other.name}`, { skip }, async () => {
      const program = other.kind === "here" ? other.path : "";
      const use =
        "new CofferClient({ address: 'a:1', serverId: 'spiffe://a/b', identity: { workloadApi: 'unix:///x' } }).close().then(() => console.log('closed'))";
      const imported = await node(
        ["--input-type=module", "-e", `import { CofferClient } from "coffer/client"; ${use}`],
        {},
        program,
      );
      assert.equal(imported.stdout.toString(), "closed\n", imported.stderr);
      writeFileSync(join(project, "required.cjs"), `const { CofferClient } = require("coffer/client"); ${use}`);
      const required = await node(["required.cjs"], {}, program);
      assert.equal(required.stdout.toString(), "closed\n", required.stderr);
    });
  }

  /** The modules that a program loads: files and packages of JavaScript, and native modules. */
  async function loadedBy(
    program: string,
  ): Promise<{ readonly modules: readonly string[]; readonly native: readonly string[] }> {
    const list = join(folder, "loaded");
    rmSync(list, { force: true });
    const asUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
    const hook = `import { appendFileSync } from "node:fs";
      export const load = (url, context, next) => (appendFileSync(${JSON.stringify(list)}, url + "\\n"), next(url, context));`;
    const register = `import { register } from "node:module"; import { appendFileSync } from "node:fs";
      register(${JSON.stringify(asUrl(hook))});
      const open = process.dlopen;
      process.dlopen = (module, file, ...rest) => (appendFileSync(${JSON.stringify(list)}, "native:" + file + "\\n"), open(module, file, ...rest));`;
    const ran = await node(["--import", asUrl(register), "--input-type=module", "-e", program]);
    assert.equal(ran.code, 0, ran.stderr);
    const lines = readFileSync(list, "utf8").split("\n");
    return {
      modules: lines.filter((line) => line.startsWith("file:")),
      native: lines.filter((line) => line.startsWith("native:")),
    };
  }

  const serverPartsOf = (modules: readonly string[]) =>
    modules.filter(
      (url) => SERVER_FOLDERS.test(url) || SERVER_PACKAGES.some((name) => url.includes(`/node_modules/${name}/`)),
    );

  it("loads no native module and nothing of the server with the client", async () => {
    const { modules, native } = await loadedBy('import { CofferClient } from "coffer/client"; void CofferClient;');
    assert.ok(modules.some((url) => url.includes("/@grpc/grpc-js/")));
    assert.deepEqual([serverPartsOf(modules), native], [[], []]);
    // The control: the hook records the server's modules and its native module.
    const server = new URL(`file://${join(project, "node_modules/coffer/dist/src/sealing/xchacha-sealer.js")}`);
    const other = await loadedBy(`await import(${JSON.stringify(server.href)});`);
    assert.notEqual(serverPartsOf(other.modules).length, 0);
    assert.notEqual(other.native.length, 0);
  });

  // koffi is bundled without its install script, and its binary is an optional package of the platform.
  it("passes connections between threads with the bundled koffi", async () => {
    const descriptor = join(project, "node_modules/coffer/dist/src/admission/descriptor.js");
    const program = `const { loadDuplicate } = await import(${JSON.stringify(descriptor)});
      console.log((await loadDuplicate())(1) > 2);`;
    const ran = await node(["--input-type=module", "-e", program]);
    assert.equal(ran.stdout.toString(), "true\n", ran.stderr);
  });

  describe("installed for all projects", () => {
    before(() => npm("install", "--global", "--prefix", prefix, packed));
    const coffer = (words: readonly string[], env: Record<string, string>) =>
      runToEnd("coffer", words, { cwd: "/", env: { PATH: [join(prefix, "bin"), path].join(delimiter), ...env } });

    it("puts coffer on the PATH, where it calls a server from any folder", async () => {
      const kit = await ServerKit.start();
      const env = callerVariables(kit, API, "api");
      const put = await coffer(["put", "shop/api/x", "key=value"], env);
      assert.equal(put.code, 0, put.stderr);
      const got = await coffer(["get", "shop/api/x", "key"], env);
      assert.equal(got.stdout.toString(), "value", got.stderr);
      await kit.stop();
    });

    it("prints its version, and reports that SQLite is not compiled", async () => {
      const { stdout, code } = await coffer(["--version"], {});
      assert.equal(code, 0);
      assert.match(stdout.toString(), /^coffer \d+\.\d+\.\d+ \(commit [0-9a-f]{12}(-modified)?\)\n/);
      assert.match(stdout.toString(), /SQLite \(can't be loaded: /);
    });

    // The test does not run the compiler, which takes minutes. It copies the compiled SQLite of the clone.
    it("compiles SQLite at the first start of a server, and not at later ones", async () => {
      const sqlite = join(prefix, "lib/node_modules/coffer/node_modules/better-sqlite3");
      const built = resolve("node_modules/better-sqlite3/build/Release/better_sqlite3.node");
      const compile = `require("fs").cpSync(${JSON.stringify(built)}, "build/Release/better_sqlite3.node")`;
      writeFileSync(join(sqlite, "compile.cjs"), compile);
      const manifest = JSON.parse(readFileSync(join(sqlite, "package.json"), "utf8"));
      assert.equal(manifest.scripts["build-release"], "node-gyp rebuild --release");
      const scripts = { "build-release": "node compile.cjs" };
      writeFileSync(join(sqlite, "package.json"), JSON.stringify({ ...manifest, scripts }));
      const serve = async () => {
        const words = ["dev", "--listen", "127.0.0.1:0", "--ops-listen", "off"];
        const env = { PATH: [join(prefix, "bin"), path].join(delimiter) };
        const server = new ServerProcess(
          ofThisFile(spawn("coffer", words, { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] })),
        );
        await server.serving();
        await server.stop();
        return server.stderr.includes("coffer: SQLite is compiled");
      };
      assert.deepEqual([await serve(), await serve()], [true, false]);
    });
  });

  describe("the examples of the documents", () => {
    const examples = [...commentExamples(), ...PAGES.flatMap(pageExamples)];
    let kit: ServerKit;
    let env: Record<string, string>;
    before(async () => {
      // The examples also watch.
      const policy = join(folder, "policy.yaml");
      writeFileSync(policy, POLICY.replace("list, describe]", "list, describe, watch]"));
      kit = await ServerKit.start({ policy });
      const { COFFER_CERT, COFFER_KEY, COFFER_BUNDLE } = callerVariables(kit, API, "api") as Record<string, string>;
      env = { COFFER_CERT: COFFER_CERT!, COFFER_KEY: COFFER_KEY!, COFFER_BUNDLE: COFFER_BUNDLE! };
      for (const name of ["@types/node", "undici-types"]) {
        cpSync(join("node_modules", name), join(project, "node_modules", name), { recursive: true });
      }
      for (const [index, { program }] of examples.entries()) writeFileSync(fileOf(index), addressed(program, kit));
      const options = {
        target: "es2022",
        module: "nodenext",
        strict: true,
        exactOptionalPropertyTypes: true,
        outDir: "out",
        types: ["node"],
        lib: ["es2023", "esnext.disposable"],
      };
      writeFileSync(
        join(project, "tsconfig.json"),
        JSON.stringify({ compilerOptions: options, include: ["example-*.ts"] }),
      );
    });
    after(() => kit.stop());

    const fileOf = (index: number) => join(project, `example-${index}.ts`);

    it("are found, and compile in strict mode with the package's declarations", async () => {
      assert.ok(examples.length > 15);
      const ran = await node([resolve("node_modules/typescript/bin/tsc"), "-p", "."]);
      assert.equal(ran.code, 0, ran.stdout.toString());
    });

    for (const [index, { where }] of examples.entries()) {
      it(`run: ${where}`, async () => {
        const caller = kit.caller(API);
        assert.equal((await caller.put({ path: "shop/api/db", data: { user: "app", password: "s3cret" } })).code, "OK");
        caller.close();
        const ran = await node([join("out", `example-${index}.js`)], env);
        assert.equal(ran.code, 0, ran.stderr);
      });
    }
  });
});

/** Replaces the address in an example with the kit's. */
function addressed(program: Example["program"], kit: ServerKit): string {
  return program.replaceAll(/127\.0\.0\.1:8553|coffer\.example:8443/g, formatAddress(kit.address));
}

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}
