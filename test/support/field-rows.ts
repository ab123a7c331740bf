import type { SecretsMethods } from "../../src/grpc/secrets-service.ts";
import { API_WATCH_ID } from "./service-kit.ts";

/** Values of one field of a request: some are accepted, and some are refused. */
export interface FieldRow {
  readonly call: keyof SecretsMethods | "Watch";
  /** The name in the proto, which the error has. */
  readonly field: string;
  readonly accepted: readonly Case[];
  readonly refused: readonly RefusedCase[];
}

/** A request, without the fields that are absent. */
interface Case {
  readonly what: string;
  readonly request: object;
}

interface RefusedCase extends Case {
  readonly reason: string;
}

type Call = FieldRow["call"];

/** A valid request of each call, to which a case adds its field. */
export const BASE: Readonly<Record<Call, object>> = {
  Put: { path: "a/db", data: [entry("k", "v")] },
  Get: { path: "a/db" },
  Delete: { path: "a/db" },
  List: { prefix: "a/" },
  Describe: { path: "a/db" },
  Patch: { path: "a/db", data: [entry("k", "v")] },
  Undelete: { path: "a/db" },
  Destroy: { path: "a/db" },
  Restore: { path: "a/db", version: 1 },
  Copy: { source: "a/db", target: "a/copy" },
  Purge: { path: "a/db" },
  Metadata: { path: "a/db", casRequired: false },
  Commit: { operations: [operation("put", { path: "a/db", data: [entry("k", "v")] })] },
  BatchGet: { paths: ["a/db"] },
  Watch: { paths: ["a/db"] },
  Report: { path: "a/db", watchId: API_WATCH_ID, version: 1, state: 1 },
};

/** The calls that change secrets, and the kinds of their operations in a Commit. */
export const KINDS = {
  Put: "put",
  Patch: "patch",
  Delete: "delete",
  Undelete: "undelete",
  Destroy: "destroy",
  Restore: "restore",
  Copy: "copy",
  Purge: "purge",
  Metadata: "metadata",
} as const satisfies Partial<Record<Call, string>>;

/** An entry of a map of values. */
export function entry(key: string, value: string | Buffer) {
  return { key, value: Buffer.from(value) };
}

/** An operation of a Commit with all of its fields. */
export function operation(kind: string, fields: object) {
  const absent = { expectedVersion: undefined, requestId: "", versions: [], data: [], binaryData: [], remove: [] };
  const others = { expireTime: undefined, ttl: undefined, version: 0, labels: [], removeLabels: [] };
  return { change: { kind, value: { ...absent, ...others, ...fields } } };
}

/** A row whose values are `make(n)` below, at and above a limit. */
function limit(call: Call, field: string, most: number, make: (n: number) => object): FieldRow {
  const at = (n: number) => ({ what: String(n), request: { ...BASE[call], ...make(n) } });
  return { call, field, accepted: [at(most - 1), at(most)], refused: [{ ...at(most + 1), reason: "LIMIT_EXCEEDED" }] };
}

/** A row of single values that violate a rule, and of others that do not. */
function rule(call: Call, field: string, accepted: readonly object[], refused: readonly object[]): FieldRow {
  const of = (fields: object) => ({ what: describe(fields), request: { ...BASE[call], ...fields } });
  return {
    call,
    field,
    accepted: accepted.map(of),
    refused: refused.map((r) => ({ ...of(r), reason: "INVALID_FIELD" })),
  };
}

/** A row of a value that is valid and of one that no message may have. */
function malformed(call: Call, field: string, good: object, bad: object): FieldRow {
  const of = (fields: object) => ({ what: describe(fields), request: { ...BASE[call], ...fields } });
  return { call, field, accepted: [of(good)], refused: [{ ...of(bad), reason: "MALFORMED_REQUEST" }] };
}

function describe(fields: object): string {
  return JSON.stringify(fields, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)).slice(
    0,
    60,
  );
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A path of a length. */
function pathOf(bytes: number): string {
  return `${"a/".repeat(Math.floor((bytes - 1) / 2))}${bytes % 2 === 0 ? "ab" : "a"}`;
}

const BAD_PATHS = ["", "/a", "a/", "a//b", "a/../b", ".", "a b", "ä", "a\0"];

function paths(call: Call, field: string, make = (path: string): object => ({ [field]: path })): FieldRow[] {
  return [
    limit(call, field, 512, (n) => make(pathOf(n))),
    rule(call, field, ["a", "A-z/0.9_", "..."].map(make), BAD_PATHS.map(make)),
  ];
}

const UUID = "6e35d3a3-f5d4-4fa1-9c3e-27fdfa0d6a0c";
const CHANGES = Object.keys(KINDS) as (keyof typeof KINDS)[];

const values = (count: number) => numbers(count).map((i) => entry(`x${i}`, ""));
const keys = (count: number) => numbers(count).map((i) => `k${i}`);
const labels = (count: number) => numbers(count).map((i) => [`k${i}`, "v"] as const);
const label = (key: string, value = "v") => ({ labels: [[key, value]] });

/** Values with `bytes` bytes of keys and values together. */
const content = (bytes: number) => [entry("x", Buffer.alloc(bytes - 1))];

/** What a Patch removes, so that the patched content has only what it sets. */
const REPLACING = { Put: {}, Patch: { remove: ["k", "other"] } } as const;

const LABEL_KEYS = ["a", "A.b_c-9", "example.org/a", "a-b.c9/x"];
const BAD_LABEL_KEYS = ["", "-a", "a-", "_a", "a b", "/a", "a/", "Example.org/a", "-a/b", "a..b/c", "a/b/c", "ä"];
const BAD_LABEL_VALUES = ["-", "a-", ".a", "a b", "a/b", "ä"];
const MAX_TTL = 315_360_000_000;
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The rows of all fields of all requests. `maxContentBytes` is the limit of the server on one content. */
export function fieldRows(maxContentBytes: number): readonly FieldRow[] {
  return [
    ...CHANGES.filter((call) => call !== "Copy").flatMap((call) => paths(call, "path")),
    ...paths("Get", "path"),
    ...paths("Describe", "path"),
    ...paths("Copy", "source"),
    ...paths("Copy", "target"),
    limit("List", "prefix", 512, (n) => ({ prefix: pathOf(n) })),
    rule("List", "prefix", [{ prefix: "" }, { prefix: "a/" }, { prefix: "a/b" }], [{ prefix: "/" }, { prefix: "a//" }]),
    ...paths("BatchGet", "paths[1]", (path) => ({ paths: ["a/db", path] })),
    ...paths("Commit", "guards[1].path", (path) => ({
      guards: [
        { path: "a/db", expectedVersion: 3 },
        { path, expectedVersion: 0 },
      ],
    })),

    ...CHANGES.map((call) =>
      rule(
        call,
        "request_id",
        [{ requestId: "" }, { requestId: UUID }, { requestId: UUID.toUpperCase() }],
        [
          { requestId: UUID.slice(1) },
          { requestId: `${UUID}0` },
          { requestId: UUID.replaceAll("-", "") },
          { requestId: "x" },
        ],
      ),
    ),
    rule("Commit", "request_id", [{ requestId: UUID }], [{ requestId: `{${UUID}}` }]),
    ...(["Delete", "Undelete", "Destroy", "Restore", "Patch"] as const).map((call) =>
      rule(
        call,
        "expected_version",
        [{ expectedVersion: 1 }, { expectedVersion: 2 ** 32 - 1 }],
        [{ expectedVersion: 0 }],
      ),
    ),
    ...(["Put", "Copy", "Purge", "Metadata"] as const).map((call) =>
      rule(call, "expected_version", [{ expectedVersion: 0 }, { expectedVersion: 2 ** 32 - 1 }], []),
    ),
    ...(["Delete", "Undelete", "Destroy"] as const).flatMap((call) => [
      limit(call, "versions", 1000, (n) => ({ versions: numbers(n).map(() => 1) })),
      rule(call, "versions", [{ versions: [] }, { versions: [1, 2 ** 32 - 1] }], [{ versions: [1, 0] }]),
    ]),
    ...(["Delete", "Destroy"] as const).map((call) =>
      rule(call, "require_converged", [{ requireConverged: true }, { requireConverged: false }], []),
    ),
    // The secret of these requests has no watcher, so the accepted values are small.
    ...(["Delete", "Destroy"] as const).map((call) =>
      rule(
        call,
        "min_watchers",
        [{ minWatchers: 0 }, { requireConverged: true, minWatchers: 0 }],
        [{ minWatchers: 1 }, { requireConverged: false, minWatchers: 2 ** 32 - 1 }],
      ),
    ),
    rule("Restore", "version", [{ version: 1 }, { version: 2 ** 32 - 1 }], [{ version: 0 }]),
    rule("Copy", "version", [{ version: 0 }, { version: 2 ** 32 - 1 }], []),
    rule("Get", "version", [{ version: 0 }, { version: 2 ** 32 - 1 }], []),
    rule("Get", "if_version_not", [{ ifVersionNot: 0 }, { ifVersionNot: 2 ** 32 - 1 }], []),
    rule("Get", "min_revision", [{ minRevision: 0 }, { minRevision: Number.MAX_SAFE_INTEGER }], []),
    rule("BatchGet", "min_revision", [{ minRevision: 0 }, { minRevision: Number.MAX_SAFE_INTEGER }], []),

    ...(["Put", "Patch"] as const).flatMap((call) => [
      limit(call, "data", 4096, (n) => ({ ...REPLACING[call], data: values(n) })),
      limit(call, "binary_data", 4096, (n) => ({ ...REPLACING[call], data: [], binaryData: values(n) })),
      limit(call, "data", 253, (n) => ({ data: [entry("k".repeat(n), "v")] })),
      limit(call, "binary_data", 253, (n) => ({ binaryData: [entry("x".repeat(n), "v")] })),
      limit(call, "data", maxContentBytes, (n) => ({ ...REPLACING[call], data: content(n) })),
      limit(call, "binary_data", maxContentBytes, (n) => ({ ...REPLACING[call], data: [], binaryData: content(n) })),
      rule(
        call,
        "data",
        ["a", "A.z_0-9", "..", "__proto__"].map((key) => ({ data: [entry(key, "")] })),
        [
          ...["", "a b", "a/b", "ä", "a\0"].map((key) => ({ data: [entry(key, "")] })),
          { data: [entry("a", ""), entry("a", "")] },
          { data: [], binaryData: [] },
        ],
      ),
      rule(
        call,
        "binary_data",
        [{ binaryData: [entry("b", "")] }],
        [
          { binaryData: [entry("b", ""), entry("b", "")] },
          { binaryData: [entry("k", "")] },
          { binaryData: [entry("", "")] },
        ],
      ),
    ]),
    limit("Patch", "remove", 4096, (n) => ({ remove: keys(n) })),
    limit("Patch", "remove", 253, (n) => ({ remove: ["x".repeat(n)] })),
    rule(
      "Patch",
      "remove",
      [{ remove: ["other"] }, { data: [], remove: ["other"] }],
      [{ remove: ["k"] }, { remove: ["x", "x"] }, { remove: [""] }, { remove: ["a/b"] }],
    ),
    limit("Get", "keys", 4096, (n) => ({ keys: keys(n) })),
    limit("Get", "keys", 253, (n) => ({ keys: ["x".repeat(n)] })),
    rule(
      "Get",
      "keys",
      [{ keys: ["k"] }, { keys: ["k", "x"] }],
      [{ keys: [""] }, { keys: ["a/b"] }, { keys: ["k", "k"] }],
    ),

    limit("Put", "ttl", MAX_TTL, (n) => ({ ttl: n })),
    rule(
      "Put",
      "ttl",
      [{ ttl: 1 }, { ttl: 1.5 }],
      [{ ttl: 0 }, { ttl: 0.999 }, { ttl: -1 }, { ttl: 1, expireTime: 1e14 }],
    ),
    rule("Put", "expire_time", [{ expireTime: 1e14 }], [{ expireTime: 0 }, { expireTime: -1 }, { expireTime: 1e12 }]),
    malformed("Put", "expire_time.seconds", { expireTime: LAST_TIME }, { expireTime: LAST_TIME + 1 }),
    malformed("Put", "ttl.seconds", { ttl: 1 }, { ttl: -315_576_000_001_000 }),
    malformed("Metadata", "default_ttl.seconds", { defaultTtl: 1 }, { defaultTtl: 315_576_000_001_000 }),
    limit("Metadata", "default_ttl", MAX_TTL, (n) => ({ defaultTtl: n })),
    rule("Metadata", "default_ttl", [{ defaultTtl: 0 }, { defaultTtl: 1 }], [{ defaultTtl: 0.5 }, { defaultTtl: -1 }]),

    limit("Metadata", "max_versions", 100, (n) => ({ maxVersions: n })),
    rule(
      "Metadata",
      "max_versions",
      [{ maxVersions: 1 }, { casRequired: true }, { description: "" }],
      [{ maxVersions: 0 }, { casRequired: undefined }],
    ),
    limit("Metadata", "labels", 64, (n) => ({ labels: labels(n) })),
    limit("Metadata", "labels", 63, (n) => label("a".repeat(n))),
    limit("Metadata", "labels", 253, (n) => label(`${"a".repeat(n)}/a`)),
    limit("Metadata", "labels", 63, (n) => label("a", "v".repeat(n))),
    rule(
      "Metadata",
      "labels",
      [...LABEL_KEYS.map((key) => label(key)), label("a", ""), label("a", "A.b_c-9")],
      [
        ...BAD_LABEL_KEYS.map((key) => label(key)),
        ...BAD_LABEL_VALUES.map((value) => label("a", value)),
        {
          labels: [
            ["a", "1"],
            ["a", "2"],
          ],
        },
      ],
    ),
    limit("Metadata", "remove_labels", 64, (n) => ({ removeLabels: keys(n) })),
    limit("Metadata", "remove_labels", 63, (n) => ({ removeLabels: ["a".repeat(n)] })),
    limit("Metadata", "remove_labels", 253, (n) => ({ removeLabels: [`${"a".repeat(n)}/a`] })),
    rule(
      "Metadata",
      "remove_labels",
      [{ removeLabels: ["a"] }, { ...label("b"), removeLabels: ["a"] }],
      [
        { removeLabels: ["a", "a"] },
        { ...label("a"), removeLabels: ["a"] },
        ...BAD_LABEL_KEYS.map((key) => ({ removeLabels: [key] })),
      ],
    ),
    limit("Metadata", "description", 1024, (n) => ({ description: "d".repeat(n) })),
    // Bytes of UTF-8, not characters.
    limit("Metadata", "description", 1024, (n) => ({ description: `${"ä".repeat(511)}${"d".repeat(n - 1022)}` })),
    rule("Metadata", "cas_required", [{ casRequired: true }, { casRequired: false }], []),

    rule("List", "page_size", [{ pageSize: 0 }, { pageSize: 2 ** 31 - 1 }], [{ pageSize: -1 }]),
    rule("List", "delimiter", [{ delimiter: "" }, { delimiter: "/" }], [{ delimiter: "." }, { delimiter: "//" }]),
    limit("List", "labels", 64, (n) => ({ labels: labels(n) })),
    limit("List", "labels", 63, (n) => label("a", "v".repeat(n))),
    rule("List", "labels", [label("a", "")], [label("a b"), { labels: [...labels(1), ...labels(1)] }]),
    rule("List", "show_deleted", [{ showDeleted: true }, { showDeleted: false }], []),

    limit("BatchGet", "paths", 256, (n) => ({ paths: numbers(n).map((i) => `a/${i}`) })),
    rule("BatchGet", "paths", [{ paths: ["a", "a"] }], [{ paths: [] }]),
    ...paths("Watch", "paths[1]", (path) => ({ paths: ["a/db", path] })),
    limit("Watch", "paths", 128, (n) => ({ paths: numbers(n).map((i) => `a/${i}`) })),
    rule("Watch", "paths", [{ paths: ["a", "a"] }, { paths: [], prefixes: [""] }], [{ paths: [] }]),
    limit("Watch", "prefixes[1]", 512, (n) => ({ prefixes: ["a/", pathOf(n)] })),
    rule(
      "Watch",
      "prefixes[0]",
      [{ prefixes: [""] }, { prefixes: ["a/"] }],
      [{ prefixes: ["/"] }, { prefixes: ["a//"] }],
    ),
    // Paths and prefixes together.
    limit("Watch", "prefixes", 128, (n) => ({ prefixes: numbers(n - 1).map((i) => `a/${i}`) })),
    rule("Watch", "from_revision", [{ fromRevision: 0 }, { fromRevision: 3 }], []),
    rule("Watch", "with_values", [{ withValues: true }, { withValues: false }], []),
    rule("Watch", "policy", [{ policy: "" }, { policy: "unknown" }], []),
    rule("Watch", "timeline", [{ timeline: "" }, { timeline: "unknown" }], []),
    rule("Watch", "seen_revision", [{ seenRevision: 0 }, { seenRevision: 3 }], []),
    // No other path has a version to report.
    rule(
      "Report",
      "path",
      [{ path: "a/db" }],
      BAD_PATHS.map((path) => ({ path })),
    ),
    rule(
      "Report",
      "watch_id",
      [{ watchId: API_WATCH_ID }, { watchId: "-_".repeat(11) }],
      [{ watchId: "" }, { watchId: "A".repeat(21) }, { watchId: "A".repeat(23) }, { watchId: `${"A".repeat(21)}+` }],
    ),
    rule("Report", "version", [{ version: 1 }, { version: 3 }], [{ version: 0 }, { version: 4 }]),
    rule("Report", "state", [{ state: 1 }, { state: 2 }], [{ state: 0 }, { state: 3 }]),
    limit("Report", "instance", 253, (n) => ({ instance: "i".repeat(n) })),
    rule("Report", "instance", [{ instance: "" }, { instance: "A-z_0.9" }], [{ instance: "a b" }, { instance: "ä" }]),
    limit("Commit", "operations", 128, (n) => ({
      operations: numbers(n).map(() => operation("purge", { path: "a/x" })),
    })),
    rule("Commit", "operations", [], [{ operations: [] }]),
    rule("Commit", "operations[0].change", [], [{ operations: [{ change: undefined }] }]),
    limit("Commit", "guards", 128, (n) => ({ guards: numbers(n).map(() => ({ path: "a/db", expectedVersion: 3 })) })),
    rule("Commit", "guards[0].expected_version", [{ guards: [{ path: "a/x", expectedVersion: 0 }] }], []),
    // The contents of all operations together.
    limit("Commit", "operations", maxContentBytes, (n) => ({
      operations: [
        operation("put", { path: "a/1", data: content(100) }),
        operation("patch", { path: "a/1", data: content(n - 100) }),
      ],
    })),
  ];
}
