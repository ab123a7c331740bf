import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path/posix";
import { describe, it } from "node:test";
import { readLayers } from "./support/layers.ts";

/** The modules of src by name, from docs/architecture.md. */
const MODULES = new Map(readLayers().map((module) => [module.name, module]));

/** The maximum number of lines of a file. */
const MAX_LINES = 300;

/** A file of src by its path below src. */
interface Source {
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  /** A path below src, or the name of a package. */
  readonly to: string;
  /** Whether it imports only types, so that the compiler removes it. */
  readonly isOfTypes: boolean;
}

const SQL =
  /\b(SELECT\s[^"'`]*\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX)|DROP TABLE|PRAGMA|BEGIN (IMMEDIATE|EXCLUSIVE)|VACUUM)\b/;

/** Every violation of the architecture, one sentence each. */
function violations(sources: readonly Source[]): string[] {
  const imports = sources.flatMap(importsOf);
  return [
    ...sources.flatMap(({ path }) => (MODULES.has(moduleOf(path)) ? [] : [`${path} is in no module`])),
    ...imports.flatMap(importProblem),
    ...cycles(imports),
    ...sources.flatMap(({ path, text }) =>
      text.trimEnd().split("\n").length > MAX_LINES ? [`${path} has more than ${MAX_LINES} lines`] : [],
    ),
    ...sources.flatMap((source) =>
      moduleOf(source.path) !== "persistence" && SQL.test(withoutComments(source)) ? [`${source.path} has SQL`] : [],
    ),
  ];
}

function importsOf(source: Source): Import[] {
  const text = withoutComments(source);
  const statements = text.matchAll(/^\s*(?:import|export)(\s+type)?\b[^;"]*?\bfrom\s*"([^"]+)"/gm);
  const others = text.matchAll(/\b(?:import|require)\s*\(?()\s*"([^"]+)"/g);
  return [...statements, ...others]
    .map(([, type, name = ""]) => ({ isOfTypes: Boolean(type), name }))
    .filter(({ name }) => !name.startsWith("node:"))
    .map(({ isOfTypes, name }) => ({
      from: source.path,
      to: name.startsWith(".") ? join(dirname(source.path), name) : name,
      isOfTypes,
    }));
}

function withoutComments({ text }: Source): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
}

function importProblem(one: Import): string[] {
  const { from, to } = one;
  const isOwn = moduleOf(from) === moduleOf(to) && !isPackage(to);
  return isOwn || isAllowed(one) ? [] : [`${from} may not import ${to}`];
}

function isAllowed({ from, to, isOfTypes }: Import): boolean {
  const module = MODULES.get(moduleOf(from));
  if (module === undefined) return false;
  if (isPackage(to)) return module.packages.includes(to);
  const other = MODULES.get(moduleOf(to));
  if (other === undefined || other.layer >= module.layer) return false;
  return (
    module.only?.some(({ target, kind }) => (kind === "module" ? target === other.name : target === to && isOfTypes)) ??
    true
  );
}

/** Whether the target is a file of src: a path ends in .ts, the name of a package does not. */
function isPackage(target: string): boolean {
  return !target.endsWith(".ts");
}

function moduleOf(path: string): string {
  return path.split("/", 1)[0] ?? "";
}

/** One sentence for each import that closes a cycle, found by a depth-first search. */
function cycles(imports: readonly Import[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(" > "));
    if (done.has(path) || trail.includes(path)) return;
    for (const { from, to } of imports) if (from === path) walk(to, [...trail, path]);
    done.add(path);
  };
  for (const { from } of imports) walk(from, []);
  return found.map((cycle) => `import cycle: ${cycle}`);
}

/** All files of src. Tests run in the root of the repository. */
const program: readonly Source[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => relative("src", join("src", path.replaceAll("\\", "/"))))
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join("src", path), "utf8") }));

describe("the architecture", () => {
  it("holds for src", () => {
    assert.deepEqual(violations(program), []);
  });

  // If the parser found no imports, the test above would always pass.
  it("matches the table: every module has files, and imports exactly the packages that its row names", () => {
    const imports = program.flatMap(importsOf);
    assert.equal(readLayers().length, MODULES.size, "a module has two rows");
    for (const { name, packages } of MODULES.values()) {
      assert.ok(
        program.some(({ path }) => moduleOf(path) === name),
        `src has ${name}`,
      );
      const imported = imports.filter(({ from, to }) => moduleOf(from) === name && isPackage(to)).map(({ to }) => to);
      assert.deepEqual([...new Set(imported)].sort(), [...packages].sort(), name);
    }
    assert.ok(imports.filter(({ from, to }) => moduleOf(from) === "app" && !isPackage(to)).length > 50);
  });

  // A row that allows an unused import would permit more than the code needs.
  it("allows no module or file by name that is not imported", () => {
    const imports = program.flatMap(importsOf);
    for (const { name, only = [] } of MODULES.values()) {
      for (const { target, kind } of only) {
        const isUsed = imports.some(
          ({ from, to }) => moduleOf(from) === name && (kind === "module" ? moduleOf(to) === target : to === target),
        );
        assert.ok(isUsed, `${name} imports ${target}`);
      }
    }
  });

  // Each row has a rule, a file that violates it, the violation that is reported, and a file that keeps the rule.
  const rows: [rule: string, broken: Source, violation: RegExp, kept: Source][] = [
    [
      "imports point downward",
      source("domain/x.ts", 'import { y } from "../store/y.ts";'),
      /may not import store\/y\.ts/,
      source("store/x.ts", 'import { y } from "../domain/y.ts";'),
    ],
    [
      "modules of one layer do not import each other",
      source("identity/x.ts", 'import type {\n  Y,\n} from "../store/y.ts";'),
      /may not import store/,
      source("identity/x.ts", 'import type {\n  Y,\n} from "./y.ts";'),
    ],
    [
      "the client imports nothing of the server",
      source("client/x.ts", 'export { y } from "../store/y.ts";'),
      /may not import store/,
      source("client/x.ts", 'export { y } from "../identity/y.ts";'),
    ],
    [
      "x509 does not import spiffe",
      source("x509/x.ts", 'import { y } from "../spiffe/y.ts";'),
      /may not import spiffe/,
      source("spiffe/x.ts", 'import { y } from "../x509/y.ts";'),
    ],
    [
      "grpc imports only the types of a verified connection, so it cannot admit one",
      source("grpc/x.ts", 'import { Connection } from "../admission/connection.ts";'),
      /may not import admission\/connection\.ts/,
      source("grpc/x.ts", 'import type { Connection } from "../admission/connection.ts";'),
    ],
    [
      "grpc imports no other file of admission, not even its types",
      source("grpc/x.ts", 'import type { y } from "../admission/handshake.ts";'),
      /may not import admission\/handshake\.ts/,
      source("app/x.ts", 'import { y } from "../admission/handshake.ts";'),
    ],
    [
      "front does not touch the disk",
      source("front/x.ts", 'import type { y } from "../persistence/y.ts";'),
      /may not import persistence/,
      source("storage/x.ts", 'import type { y } from "../persistence/y.ts";'),
    ],
    [
      "front reaches the store only through the interfaces that it is given",
      source("front/x.ts", 'import type { y } from "../storage/y.ts";'),
      /may not import storage/,
      source("app/x.ts", 'import type { y } from "../storage/y.ts";'),
    ],
    ...["admission", "grpc", "front"].map((module): [string, Source, RegExp, Source] => [
      `storage serves no caller: it imports nothing of ${module}`,
      source("storage/x.ts", `import type { y } from "../${module}/y.ts";`),
      new RegExp(`may not import ${module}`),
      source("app/x.ts", `import type { y } from "../${module}/y.ts";`),
    ]),
    [
      "a package is imported by its modules only",
      source("app/x.ts", 'import Database from "better-sqlite3";'),
      /may not import better-sqlite3/,
      source("persistence/x.ts", 'import Database from "better-sqlite3";'),
    ],
    [
      "an import for side effects follows the same rules",
      source("engine/x.ts", 'import "../grpc/y.ts";'),
      /may not import grpc/,
      source("engine/x.ts", '// import "../grpc/y.ts";'),
    ],
    [
      "a dynamic import follows the same rules",
      source("engine/x.ts", 'const y = await import("winston");'),
      /may not import winston/,
      source("observability/x.ts", 'const y = await import("winston");'),
    ],
    ["every module is in the table", source("utils/x.ts", ""), /in no module/, source("domain/x.ts", "")],
    [
      "a file has at most 300 lines",
      source("domain/x.ts", `${"\n".repeat(MAX_LINES)}x`),
      /more than 300 lines/,
      source("domain/x.ts", `${"\n".repeat(MAX_LINES - 1)}x`),
    ],
    [
      "only persistence has SQL",
      source("store/x.ts", "const query = `SELECT path\n FROM secrets`;"),
      /has SQL/,
      source("persistence/x.ts", "const query = `SELECT path\n FROM secrets`;"),
    ],
    [
      "no file imports itself",
      source("domain/x.ts", 'import { y } from "./x.ts";'),
      /import cycle: domain\/x\.ts > domain\/x\.ts/,
      source("domain/x.ts", 'import { y } from "./y.ts";'),
    ],
  ];
  for (const [rule, broken, violation, kept] of rows) {
    it(`reports a violation of: ${rule}`, () => {
      const [problem, ...others] = violations([broken]);
      assert.match(problem ?? "nothing", violation);
      assert.deepEqual(others, []);
      assert.deepEqual(violations([kept]), []);
    });
  }

  it("reports a cycle of three files", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => `domain/${name}.ts`) as [string, string, string];
    const importing = (from: string, to: string) =>
      source(from, `import { x } from "./${to.slice("domain/".length)}";`);
    const sources = [importing(a, b), importing(b, c), importing(c, a)];
    assert.deepEqual(violations(sources), [`import cycle: ${[a, b, c, a].join(" > ")}`]);
    assert.deepEqual(violations(sources.slice(1)), []);
  });

  // A reader who searches for der.ts or for PutRequest must find exactly one.
  it("has no two modules with files or exported types of the same name", () => {
    // The file of a command is named after the command, even if another file has that name.
    const files = program.filter(({ path }) => !path.startsWith("cli/commands/"));
    assert.deepEqual(repeated(files.map(({ path }) => [path.slice(path.lastIndexOf("/") + 1), path])), []);
    const types = program.flatMap((file) =>
      [...withoutComments(file).matchAll(/^export (?:abstract )?(?:class|interface|type) (\w+)/gm)].map(
        ([, name = ""]): [string, string] => [name, file.path],
      ),
    );
    assert.deepEqual(repeated(types), []);
    assert.deepEqual(
      repeated([
        ["Secret", "store/a.ts"],
        ["Secret", "client/b.ts"],
      ]),
      ["Secret: store, client"],
    );
    assert.ok(types.length > 200);
  });
});

/** The names that occur in more than one module, each followed by these modules. */
function repeated(named: readonly (readonly [name: string, path: string])[]): string[] {
  const modules = new Map<string, Set<string>>();
  for (const [name, path] of named) modules.set(name, (modules.get(name) ?? new Set()).add(moduleOf(path)));
  return [...modules].filter(([, { size }]) => size > 1).map(([name, found]) => `${name}: ${[...found].join(", ")}`);
}

function source(path: string, text: string): Source {
  return { path, text };
}
