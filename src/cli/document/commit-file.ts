import { type ParsedNode, isMap } from "yaml";
import type { Assignment } from "../assignment.ts";
import { CommandFailed } from "../command-failed.ts";
import { checkDocument } from "./check-document.ts";
import {
  type ReadField,
  binaryValues,
  boolean,
  labels,
  text,
  texts,
  time,
  ttl,
  uint32,
  values,
  versions,
} from "./commit-fields.ts";
import { SecretDocument } from "../../files/secret-document.ts";

const VERSIONS = { path: text, versions, expected_version: uint32 };
const REMOVAL = { ...VERSIONS, require_converged: boolean, min_watchers: uint32 };

/** The operations of a commit file with their fields, which have the names of coffer.proto. docs/cli.md explains them. */
const OPERATIONS = {
  put: { path: text, data: values, binary_data: binaryValues, expected_version: uint32, expire_time: time, ttl },
  patch: { path: text, data: values, binary_data: binaryValues, remove: texts, expected_version: uint32 },
  delete: REMOVAL,
  undelete: VERSIONS,
  destroy: REMOVAL,
  restore: { path: text, version: uint32, expected_version: uint32 },
  copy: { source: text, version: uint32, target: text, expected_version: uint32 },
  purge: { path: text, expected_version: uint32 },
  metadata: {
    path: text,
    max_versions: uint32,
    labels,
    remove_labels: texts,
    description: text,
    default_ttl: ttl,
    cas_required: boolean,
    expected_version: uint32,
  },
} as const;

const GUARD = { path: text, expected_version: uint32 } as const;

/** The fields that an operation needs. */
const REQUIRED: ReadonlySet<string> = new Set([
  ...["put", "patch", "delete", "undelete", "destroy", "restore", "purge", "metadata"].map((kind) => `${kind}.path`),
  ...["restore.version", "copy.source", "copy.target", "a guard.path", "a guard.expected_version"],
]);

type Kind = keyof typeof OPERATIONS;

type FieldsOf<Schema> = {
  readonly [Name in keyof Schema]?: Schema[Name] extends ReadField<infer T> ? T : never;
};

/** An operation of a commit file. */
export type FileOperation = {
  [K in Kind]: { readonly kind: K; readonly fields: FieldsOf<(typeof OPERATIONS)[K]> };
}[Kind];

/** A commit file. The values that it refers to are not read yet. */
export interface CommitFile {
  readonly operations: readonly FileOperation[];
  readonly guards: readonly { readonly path: string; readonly expectedVersion: number }[];
}

/** Reads a commit file in YAML or JSON. `name` begins the messages. Throws CommandFailed with all problems. */
export function readCommitFile(bytes: Uint8Array, name: string): CommitFile {
  const document = new SecretDocument(name);
  const root = document.parse(bytes);
  const file = root ? new CommitReader(document).read(root) : { operations: [], guards: [] };
  checkDocument(document);
  if (file.operations.length === 0) throw new CommandFailed("usage", `${name} has no operation`);
  return file;
}

class CommitReader {
  readonly #document: SecretDocument;

  constructor(document: SecretDocument) {
    this.#document = document;
  }

  read(root: ParsedNode): CommitFile {
    let operations: readonly FileOperation[] = [];
    let guards: CommitFile["guards"] = [];
    for (const { key, at, value } of this.#document.fields(root, "the document")) {
      if (key === "operations" && value) operations = this.#operations(value);
      else if (key === "guards" && value) guards = this.#guards(value);
      else this.#document.reject(at, "unknown or empty key: expected operations or guards");
    }
    return { operations, guards };
  }

  #operations(node: ParsedNode): readonly FileOperation[] {
    return this.#document.items(node, "operations").flatMap((item, index) => this.#operation(item, index));
  }

  #operation(node: ParsedNode, index: number): readonly FileOperation[] {
    const name = `operation ${index}`;
    const [field, second] = this.#document.fields(node, name);
    const kind = Object.keys(OPERATIONS).find((known) => known === field?.key) as Kind | undefined;
    if (kind === undefined || !field?.value || second !== undefined) {
      const kinds = Object.keys(OPERATIONS).join(", ");
      return this.#document.reject(node, `${name} must be a mapping with one of the keys ${kinds}`) ?? [];
    }
    const fields = this.#fields(field.value, OPERATIONS[kind], { kind, name: `${name} (${kind})` });
    return [{ kind, fields } as FileOperation];
  }

  #guards(node: ParsedNode): CommitFile["guards"] {
    return this.#document.items(node, "guards").map((item, index) => {
      const fields = this.#fields(item, GUARD, { kind: "a guard", name: `guard ${index}` });
      return { path: fields.path ?? "", expectedVersion: fields.expected_version ?? 0 };
    });
  }

  /** The fields of an operation or a guard. Unknown fields, and missing ones that are required, are reported. */
  #fields<Schema extends Readonly<Record<string, ReadField<unknown>>>>(
    node: ParsedNode,
    schema: Schema,
    { kind, name }: { readonly kind: string; readonly name: string },
  ): FieldsOf<Schema> {
    const fields = new Map<string, unknown>();
    for (const { key, at, value } of this.#document.fields(node, name)) {
      const read = Object.hasOwn(schema, key) ? schema[key] : undefined;
      if (read === undefined)
        this.#document.reject(at, `${name}: unknown field: expected ${Object.keys(schema).join(", ")}`);
      else if (value === null) this.#document.reject(at, `${name}: ${key} has no value`);
      else fields.set(key, read(this.#document, value, `${name}: ${key}`));
    }
    for (const key of isMap(node) ? Object.keys(schema) : []) {
      if (REQUIRED.has(`${kind}.${key}`) && !fields.has(key)) this.#document.reject(node, `${name}: ${key} is missing`);
    }
    return Object.fromEntries(fields) as FieldsOf<Schema>;
  }
}

/** The assignments of a Put or a Patch. */
export function assignmentsOf({
  data = [],
  binary_data = [],
}: FieldsOf<(typeof OPERATIONS)["put" | "patch"]>): readonly Assignment[] {
  return [...data, ...binary_data];
}
