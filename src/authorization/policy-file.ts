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
import { parseYaml } from "../files/yaml-document.ts";

/**
 * The maximum size of a policy file in bytes, about 2,000 rules. Calls wait while the file is read: 0.2 s for valid
 * rules, and up to a second for a file of problems only.
 */
export const MAX_POLICY_BYTES = 256 * 1024;

/** The maximum number of problems to report: in a file that is not a policy, every line can be a problem. */
const MAX_PROBLEMS = 100;

/** A problem of a policy file. */
interface PolicyProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  readonly message: string;
}

/** The result of reading a policy file: a policy, or all of its problems in the order of the file. */
export type PolicyReading =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "problems"; readonly problems: readonly PolicyProblem[] };

/**
 * Reads the content of a policy file (docs/policy.md): one YAML 1.2 document in the core schema, which includes JSON.
 * It never throws because of the content. If the file is not valid YAML, it reports only the syntax errors, because the
 * meaning of the rest is unknown.
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

/** Refuses invalid UTF-8. A decoder would replace it by U+FFFD, and the log could show a different name of a rule. */
function encodingProblem(file: Uint8Array): PolicyProblem | undefined {
  if (isUtf8(file)) return undefined;
  // A newline byte is never part of a multi-byte character, so each line can be checked separately.
  const lines = Buffer.from(file).toString("latin1").split("\n");
  const line = 1 + lines.findIndex((text) => !isUtf8(Buffer.from(text, "latin1")));
  return { line, column: 1, message: "the line is not UTF-8" };
}

type Key = "rules" | "name" | "spiffe_ids" | "paths" | "actions";
type Fields = ReadonlyMap<Key, ParsedNode>;

const FILE_KEYS: readonly Key[] = ["rules"];
const RULE_KEYS: readonly Key[] = ["name", "spiffe_ids", "paths", "actions"];

// Names are printed in logs and terminals, where a control character could forge a line.
const NAME = /^\P{C}{1,100}$/u;

const ALIAS = "* begins a YAML alias here, which is not allowed in a policy; quote patterns that begin with *";

/** Replacements for messages of the parser that describe its functions and not the file. */
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  MULTIPLE_DOCS: "a second document begins here; a policy has only one",
  RESOURCE_EXHAUSTION: "the nesting is too deep",
  TAG_RESOLVE_FAILED: "tags (!...) are not allowed in a policy",
};

/** Reads one document and collects its problems. The rules are valid only if there are no problems. */
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

  /** Parses the document. Returns undefined if the text is not valid YAML. */
  #parse(text: string): ParsedNode | null | undefined {
    const { errors, contents } = parseYaml(text, this.#lines);
    // An alias is also a node, and is reported at that node. Most likely it is a pattern without quotes.
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

  /** The fields of a mapping. Unknown and repeated keys are reported and left out. */
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

  /** Parses one text. Returns a list without an entry if it is invalid. */
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

  /** Reports a problem of a node, and returns an empty list as its value. */
  #reject(node: ParsedNode | null, message: string): readonly never[] {
    this.#report(node?.range[0] ?? 0, isAlias(node) ? ALIAS : message);
    return [];
  }

  #report(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#problems.push({ line, column: col, message });
  }
}

/** The first problems of the file, and one that states the number of the others. */
function firstOf(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const next = problems[MAX_PROBLEMS];
  if (next === undefined) return problems;
  const { line, column } = next;
  const more = problems.length - MAX_PROBLEMS;
  return [...problems.slice(0, MAX_PROBLEMS), { line, column, message: `${more} more problems from here on` }];
}

function parseName(text: string): string {
  if (NAME.test(text)) return text;
  throw new InvalidRule(`invalid name ${quoted(text)}: expected 1 to 100 printable characters`);
}

/** A null as the value of a key without a colon, such as `{name}`. A key with a colon and no value has the same value. */
function nothingAt(key: ParsedNode): ParsedNode {
  return Object.assign(new Scalar(null), { range: key.range }) as Scalar.Parsed;
}
