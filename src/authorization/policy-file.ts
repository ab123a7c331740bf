import { isUtf8 } from "node:buffer";
import {
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  Scalar,
  type YAMLMap,
} from "yaml";
import { parseAction } from "./action.ts";
import { InvalidRule, quoted } from "./invalid-rule.ts";
import { PathPattern, SpiffeIdPattern } from "./pattern.ts";
import type { Policy, Rule } from "./policy.ts";
import { parseYaml } from "./yaml-document.ts";

/**
 * The largest policy file that is read, in bytes: some 2,000 rules. Calls wait while it is read: 0.2 s for good rules, and
 * up to a second for faults alone.
 */
export const MAX_POLICY_BYTES = 256 * 1024;

/** The most problems that are told one by one: of a file that is no policy at all, each line may be one. */
const MAX_PROBLEMS = 100;

/** One thing that is wrong with a policy file, in a sentence that says what is allowed instead. */
interface PolicyProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  readonly message: string;
}

/** What came of reading a policy file: a policy, or everything that is wrong with it, in the order of the file. */
export type PolicyReading =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "problems"; readonly problems: readonly PolicyProblem[] };

/**
 * Reads the content of a policy file (docs/policy.md): one document of YAML 1.2, core schema, of which JSON is a part.
 * Never throws for what the file contains. When the file is no YAML, only that is reported: what the rest means is then
 * a guess.
 */
export function readPolicy(file: Uint8Array): PolicyReading {
  const unreadable = sizeProblem(file) ?? encodingProblem(file);
  if (unreadable) return { kind: "problems", problems: [unreadable] };
  return new PolicyReader().read(new TextDecoder().decode(file));
}

function sizeProblem(file: Uint8Array): PolicyProblem | undefined {
  if (file.length <= MAX_POLICY_BYTES) return undefined;
  const message = `the file has ${file.length} bytes, more than the limit of ${MAX_POLICY_BYTES}`;
  return { line: 1, column: 1, message };
}

/** A decoder would put U+FFFD in place of bad bytes, and the name of a rule could then be another in the log. */
function encodingProblem(file: Uint8Array): PolicyProblem | undefined {
  if (isUtf8(file)) return undefined;
  // A newline byte is never part of a longer character, so each line can be judged on its own.
  const lines = Buffer.from(file).toString("latin1").split("\n");
  const line = 1 + lines.findIndex((text) => !isUtf8(Buffer.from(text, "latin1")));
  return { line, column: 1, message: "the line is not UTF-8" };
}

type Key = "rules" | "name" | "spiffe_ids" | "paths" | "actions";
type Fields = ReadonlyMap<Key, ParsedNode>;

const FILE_KEYS: readonly Key[] = ["rules"];
const RULE_KEYS: readonly Key[] = ["name", "spiffe_ids", "paths", "actions"];

// Names go to logs and terminals, where a control character could forge a line.
const NAME = /^\P{C}{1,100}$/u;

const ALIAS = "here * begins a YAML alias, which a policy can't have; put a pattern that begins with * in quotes";

/** Where the parser's own words speak of its functions rather than of the file. */
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: "a second document begins here; a policy is one document",
  RESOURCE_EXHAUSTION: "the nesting is too deep",
  TAG_RESOLVE_FAILED: "a policy can't have tags (!...)",
};

/** Walks through one document and collects what is wrong with it. What it returns counts only if that is nothing. */
class PolicyReader {
  readonly #lines = new LineCounter();
  readonly #problems: PolicyProblem[] = [];

  read(text: string): PolicyReading {
    const rules = this.#rules(text);
    if (this.#problems.length === 0) return { kind: "policy", policy: { rules } };
    const problems = this.#problems.sort((a, b) => a.line - b.line || a.column - b.column);
    return { kind: "problems", problems: firstOf(problems) };
  }

  #rules(text: string): readonly Rule[] {
    const root = this.#parse(text);
    if (root === undefined) return [];
    if (!isMap(root)) return this.#reject(root, "the file must be a mapping with the key rules; rules: [] denies all");
    const rules = this.#fields(root, FILE_KEYS).get("rules");
    if (!rules) return this.#reject(root, "the key rules is missing; rules: [] denies all");
    if (!isSeq(rules)) return this.#reject(rules, "rules must be a list; rules: [] denies all");
    return rules.items.flatMap((rule) => this.#rule(rule));
  }

  /** The document; undefined when the text is no YAML. */
  #parse(text: string): ParsedNode | null | undefined {
    const { errors, contents } = parseYaml(text, this.#lines);
    // An alias is a node as well, and reported where it stands: by far the most likely one is a * without quotes.
    const syntax = errors.filter((error) => error.code !== "BAD_ALIAS");
    for (const { offset, code, message } of syntax) this.#report(offset, SYNTAX[code] ?? `not valid YAML: ${message}`);
    return syntax.length === 0 ? contents : undefined;
  }

  #rule(node: ParsedNode): readonly Rule[] {
    if (!isMap(node)) return this.#reject(node, `a rule must be a mapping with the keys ${RULE_KEYS.join(", ")}`);
    const fields = this.#fields(node, RULE_KEYS);
    const name = this.#name(node, fields);
    const spiffeIds = this.#list(node, fields, "spiffe_ids", SpiffeIdPattern.parse);
    const paths = this.#list(node, fields, "paths", PathPattern.parse);
    const actions = this.#list(node, fields, "actions", parseAction);
    return [{ name, spiffeIds, paths, actions: new Set(actions) }];
  }

  /** The fields of a mapping, those with an unknown or repeated key left out and reported. */
  #fields(map: YAMLMap.Parsed, known: readonly Key[]): Fields {
    const fields = new Map<Key, ParsedNode>();
    for (const { key, value } of map.items) {
      const name = known.find((one) => isScalar(key) && key.value === one);
      if (!name) this.#reject(key, `the key ${quoted(String(key))} is unknown; allowed are ${known.join(", ")}`);
      else if (fields.has(name)) this.#reject(key, `the key ${name} is repeated`);
      else fields.set(name, value ?? nothingAt(key));
    }
    return fields;
  }

  #name(rule: YAMLMap.Parsed, fields: Fields): string {
    const field = fields.get("name");
    if (!field) return `unnamed (line ${this.#lines.linePos(rule.range[0]).line})`;
    return this.#item(field, "name", parseName)[0] ?? "";
  }

  #list<T>(rule: YAMLMap.Parsed, fields: Fields, key: Key, parse: (text: string) => T): readonly T[] {
    const field = fields.get(key);
    if (!field) return this.#reject(rule, `the rule has no ${key}`);
    if (isSeq(field) && field.items.length > 0)
      return field.items.flatMap((item) => this.#item(item, `an entry of ${key}`, parse));
    return this.#reject(field, `${key} must be a list with at least one entry`);
  }

  /** One text, parsed. */
  #item<T>(node: ParsedNode, what: string, parse: (text: string) => T): readonly T[] {
    if (!isScalar(node) || typeof node.value !== "string") {
      return this.#reject(node, `${what} must be text; a number, true, false or null needs quotes`);
    }
    try {
      return [parse(node.value)];
    } catch (error) {
      if (!(error instanceof InvalidRule)) throw error;
      return this.#reject(node, error.message);
    }
  }

  /** Reports a node, and answers the nothing that was read from it. */
  #reject(node: ParsedNode | null, message: string): readonly never[] {
    this.#report(node?.range[0] ?? 0, isAlias(node) ? ALIAS : message);
    return [];
  }

  #report(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#problems.push({ line, column: col, message });
  }
}

/** Those that come first in the file, and how many more there are. */
function firstOf(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const next = problems[MAX_PROBLEMS];
  if (next === undefined) return problems;
  const { line, column } = next;
  const more = problems.length - MAX_PROBLEMS;
  return [
    ...problems.slice(0, MAX_PROBLEMS),
    { line, column, message: `from here on there are ${more} more problems` },
  ];
}

function parseName(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidRule(`${quoted(text)} is no name; allowed are 1 to 100 printable characters`);
}

/** The value of a key that stands alone, as in {name}: YAML's null, like that of a key with nothing after the colon. */
function nothingAt(key: ParsedNode): ParsedNode {
  return Object.assign(new Scalar(null), { range: key.range }) as Scalar.Parsed;
}
