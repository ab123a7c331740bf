import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path/posix";
import { describe, it } from "node:test";

/** A folder of src (or its one file at the top): what it is for, and what it may lean on. */
interface Room {
  readonly is: string;
  /** The npm packages that it may import. A package that no room names is imported nowhere. */
  readonly packages?: readonly string[];
  /** Rooms of the same floor that it may import; none by default. */
  readonly beside?: readonly string[];
  /** The only rooms that it may import; by default all on the floors below. */
  readonly only?: readonly string[];
}

/** The house from the roof down. A room imports from the floors below it. Every room of src is here. */
const HOUSE: readonly Readonly<Record<string, Room>>[] = [
  { "main.ts": { is: "the process: arguments in, exit code out", only: ["cli"] } },
  { cli: { is: "the commands, and what people read", packages: ["commander"] } },
  { app: { is: "the composition root: configuration in, a running server out" } },
  {
    transport: {
      is: "from a stranger's connection to a method's call, and its answer",
      packages: ["@grpc/grpc-js", "grpc-health-check"],
    },
    client: {
      is: "calls a server; what a workload would embed, so it leans on nothing of the server",
      packages: ["@grpc/grpc-js"],
      only: ["contract", "domain", "identity"],
    },
    "workload-api": {
      is: "takes an identity from the SPIFFE Workload API, and the next one when it rotates",
      packages: ["@grpc/grpc-js"],
      only: ["contract", "domain", "identity"],
    },
    persistence: { is: "the journal on disk, and everything that is SQL", packages: ["better-sqlite3"] },
    observability: { is: "log lines, metrics and probes", packages: ["prom-client", "winston"] },
    pki: { is: "mints certificates for development", packages: ["node-forge"] },
  },
  { engine: { is: "what a caller may ask: authorize, then open, seal and store" } },
  {
    authorization: { is: "who may do what, from rules", packages: ["yaml"] },
    store: { is: "versions in memory, and how a change becomes durable" },
  },
  {
    sealing: { is: "content at rest: keys and ciphertext", packages: ["sodium-native"] },
    identity: { is: "SPIFFE IDs, certificates, and their verification" },
  },
  { domain: { is: "the nouns and errors that every room speaks of" } },
  { contract: { is: "the proto, its limits and its bytes", packages: ["@grpc/proto-loader"] } },
];

/** The length at which a file has become two. */
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
}

const SQL =
  /\b(SELECT\s[^"'`]*\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX)|DROP TABLE|PRAGMA|BEGIN (IMMEDIATE|EXCLUSIVE)|VACUUM)\b/;

/** Everything that is wrong with the house, one sentence each. */
function violations(sources: readonly Source[]): string[] {
  const imports = sources.flatMap(importsOf);
  return [
    ...sources.flatMap(({ path }) => (floorOf(roomOf(path)) < 0 ? [`${path} is in no room of the house`] : [])),
    ...imports.flatMap(importProblem),
    ...cycles(imports),
    ...sources.flatMap(({ path, text }) =>
      text.trimEnd().split("\n").length > MAX_LINES ? [`${path} has more than ${MAX_LINES} lines`] : [],
    ),
    ...sources.flatMap((source) =>
      roomOf(source.path) !== "persistence" && SQL.test(withoutComments(source)) ? [`${source.path} has SQL`] : [],
    ),
  ];
}

function importsOf(source: Source): Import[] {
  const text = withoutComments(source);
  const statements = text.matchAll(/^\s*(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"/gm);
  const others = text.matchAll(/\b(?:import|require)\s*\(?\s*"([^"]+)"/g);
  return [...statements, ...others]
    .map(([, name]) => name!)
    .filter((name) => !name.startsWith("node:"))
    .map((name) => ({ from: source.path, to: name.startsWith(".") ? join(dirname(source.path), name) : name }));
}

function withoutComments({ text }: Source): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
}

function importProblem({ from, to }: Import): string[] {
  const [room, other] = [roomOf(from), roomOf(to)];
  if (room === other) return [];
  const { packages = [], beside = [], only } = HOUSE[floorOf(room)]?.[room] ?? { is: "" };
  const allowed = isPackage(to)
    ? packages.includes(to)
    : only === undefined
      ? floorOf(other) > floorOf(room) || beside.includes(other)
      : only.includes(other);
  return allowed ? [] : [`${from} may not import ${to}`];
}

/** src has no path that is a bare word: a path ends in .ts, the name of a package does not. */
function isPackage(target: string): boolean {
  return !target.endsWith(".ts");
}

function roomOf(path: string): string {
  return path.split("/")[0]!;
}

/** Counted from the roof; -1 for what is no room. */
function floorOf(room: string): number {
  return HOUSE.findIndex((floor) => Object.hasOwn(floor, room));
}

/** One sentence for each import that closes a ring, found by walking depth first. */
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
  return found.map((ring) => `a ring of imports: ${ring}`);
}

/** The program as it is. Tests run from the top of the repository. */
const program: readonly Source[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => relative("src", join("src", path.replaceAll("\\", "/"))))
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join("src", path), "utf8") }));

describe("the house", () => {
  it("keeps its order", () => {
    assert.deepEqual(violations(program), []);
  });

  // A reader of imports that saw nothing would find every house in order.
  it("is seen whole: every room is lived in, and every package that it names is imported", () => {
    const rooms = HOUSE.flatMap((floor) => Object.entries(floor));
    assert.deepEqual(
      rooms.map(([name]) => name).filter((name) => !program.some(({ path }) => roomOf(path) === name)),
      [],
    );
    const imports = program.flatMap(importsOf);
    for (const [name, { packages = [] }] of rooms) {
      const imported = new Set(
        imports.filter(({ from, to }) => roomOf(from) === name && isPackage(to)).map((i) => i.to),
      );
      assert.deepEqual([...imported].sort(), [...packages].sort(), name);
    }
  });

  // Each rule is broken by one line, beside the line that keeps it.
  const rows: [rule: string, broken: Source, complaint: RegExp, kept: Source][] = [
    [
      "imports point downward",
      source("domain/x.ts", 'import { y } from "../store/y.ts";'),
      /may not import store\/y\.ts/,
      source("store/x.ts", 'import { y } from "../domain/y.ts";'),
    ],
    [
      "rooms of one floor do not know each other",
      source("identity/x.ts", 'import type {\n  Y,\n} from "../sealing/y.ts";'),
      /may not import sealing/,
      source("identity/x.ts", 'import type {\n  Y,\n} from "./y.ts";'),
    ],
    [
      "the client leans on nothing of the server",
      source("client/x.ts", 'export { y } from "../store/y.ts";'),
      /may not import store/,
      source("client/x.ts", 'export { y } from "../identity/y.ts";'),
    ],
    [
      "a package has its rooms",
      source("app/x.ts", 'import Database from "better-sqlite3";'),
      /may not import better-sqlite3/,
      source("persistence/x.ts", 'import Database from "better-sqlite3";'),
    ],
    [
      "an import for its effect alone counts",
      source("engine/x.ts", 'import "../transport/y.ts";'),
      /may not import transport/,
      source("engine/x.ts", '// import "../transport/y.ts";'),
    ],
    [
      "an import in the middle of things counts",
      source("engine/x.ts", 'const y = await import("winston");'),
      /may not import winston/,
      source("observability/x.ts", 'const y = await import("winston");'),
    ],
    ["a new room is in the table", source("utils/x.ts", ""), /in no room/, source("domain/x.ts", "")],
    [
      "a file is short",
      source("domain/x.ts", `${"\n".repeat(MAX_LINES)}x`),
      /more than 300 lines/,
      source("domain/x.ts", `${"\n".repeat(MAX_LINES - 1)}x`),
    ],
    [
      "SQL is persistence's",
      source("store/x.ts", "const query = `SELECT path\n FROM secrets`;"),
      /has SQL/,
      source("persistence/x.ts", "const query = `SELECT path\n FROM secrets`;"),
    ],
    [
      "no file imports itself by a detour",
      source("domain/x.ts", 'import { y } from "./x.ts";'),
      /ring of imports: domain\/x\.ts > domain\/x\.ts/,
      source("domain/x.ts", 'import { y } from "./y.ts";'),
    ],
  ];
  for (const [rule, broken, complaint, kept] of rows) {
    it(`tells when it is broken that ${rule}`, () => {
      const [problem, ...others] = violations([broken]);
      assert.match(problem ?? "nothing", complaint);
      assert.deepEqual(others, []);
      assert.deepEqual(violations([kept]), []);
    });
  }

  it("tells of a ring of three files", () => {
    const ring = ["a", "b", "c", "a"].map((name) => `domain/${name}.ts`);
    const sources = [0, 1, 2].map((i) => source(ring[i]!, `import { x } from "./${ring[i + 1]!.slice(7)}";`));
    assert.deepEqual(violations(sources), [`a ring of imports: ${ring.join(" > ")}`]);
    assert.deepEqual(violations(sources.slice(1)), []);
  });
});

function source(path: string, text: string): Source {
  return { path, text };
}
