import { isUtf8 } from "node:buffer";
import { type ErrorCode, isAlias, isMap, isScalar, isSeq, LineCounter, type ParsedNode } from "yaml";
import { parseYaml } from "./yaml-document.ts";

/** A place in a document: a node, or an offset in UTF-16 code units from 0. */
export type DocumentPlace = ParsedNode | number;

/** A key of a mapping, and its value. */
export interface DocumentField {
  readonly key: string;
  /** The node of the key. */
  readonly at: ParsedNode;
  /** Null if there is no value, as in `{key}`. */
  readonly value: ParsedNode | null;
}

/** The maximum number of problems to report: in a file of another kind, every line can be a problem. */
const MAX_PROBLEMS = 20;

/** Descriptions of syntax errors. The parser's own messages quote the text, which may be a secret. */
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE: "invalid escape sequence in double quotes",
  BAD_INDENT: "wrong indentation, or a bracket is not closed",
  BAD_SCALAR_START: "a text that begins with this character has to be in quotes",
  MISSING_CHAR: "a quote, a bracket, a comma or a colon is missing",
  MULTIPLE_DOCS: "a second document begins here",
  RESOURCE_EXHAUSTION: "the nesting is too deep",
  TAB_AS_INDENT: "a tab can't be used for indentation",
  TAG_RESOLVE_FAILED: "! begins a YAML tag, which is not supported: put a text that begins with ! in quotes",
};

/**
 * One YAML or JSON document that may contain secret values. It collects all problems. A problem names the position, and
 * never quotes the document: even a key can be a secret if the document has another structure than expected.
 */
export class SecretDocument {
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #problems: { readonly offset: number; readonly message: string }[] = [];

  /** `name` begins each message, such as the name of a file. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Parses the document. Returns null for an empty document, and undefined after a syntax error. */
  parse(bytes: Uint8Array): ParsedNode | null | undefined {
    if (!isUtf8(bytes)) return this.reject(0, "the document is not UTF-8");
    const { errors, contents } = parseYaml(new TextDecoder().decode(bytes), this.#lines);
    // An alias is also a node, and is reported at that node.
    const syntax = errors.filter(({ code }) => code !== "BAD_ALIAS");
    for (const { offset, code } of syntax) this.reject(offset, SYNTAX[code] ?? `not valid YAML (${code})`);
    return syntax.length === 0 ? contents : undefined;
  }

  /** Records a problem. */
  reject(place: DocumentPlace, message: string): undefined {
    this.#problems.push({ offset: typeof place === "number" ? place : place.range[0], message });
  }

  /** The fields of a mapping, whose keys are all different. `what` begins the message if the node is not a mapping. */
  fields(node: ParsedNode, what: string): readonly DocumentField[] {
    if (!isMap(node)) return this.reject(node, `${what} must be a mapping of keys to values`) ?? [];
    this.#checkProperties(node);
    const seen = new Set<string>();
    return node.items.flatMap(({ key: at, value }) => {
      const key = this.text(at, "a key");
      if (key === undefined) return [];
      if (seen.has(key)) return this.reject(at, "the key is repeated") ?? [];
      seen.add(key);
      return [{ key, at, value }];
    });
  }

  /** The items of a list. */
  items(node: ParsedNode, what: string): readonly ParsedNode[] {
    if (!isSeq(node)) return this.reject(node, `${what} must be a list`) ?? [];
    this.#checkProperties(node);
    return node.items;
  }

  /**
   * A text. A number and a boolean are returned as they are written: YAML would change 0123 to 123, and JSON the last
   * digits of a long number.
   */
  text(node: ParsedNode, what: string): string | undefined {
    if (isAlias(node)) return this.reject(node, "* begins a YAML alias here: put the text in quotes");
    if (!isScalar(node)) return this.reject(node, `${what} must be a text`);
    if (!this.#checkProperties(node)) return undefined;
    const text = typeof node.value === "string" ? node.value : node.source;
    if (node.value === null) return this.reject(node, `${what} is empty: write "" for an empty text`);
    if (/\p{Surrogate}/u.test(text)) return this.reject(node, "half of a surrogate pair, which UTF-8 can't encode");
    return text;
  }

  /** All problems, in the order of the document, as lines that begin with the name, the line and the column. */
  problems(): readonly string[] {
    const problems = this.#problems.toSorted((one, other) => one.offset - other.offset);
    const lines = problems.slice(0, MAX_PROBLEMS).map(({ offset, message }) => {
      const { line, col } = this.#lines.linePos(offset);
      // The parser counts a document without any line as line 0.
      return `${this.#name}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${message}`;
    });
    if (problems.length > MAX_PROBLEMS) lines.push(`and ${problems.length - MAX_PROBLEMS} more problems`);
    return lines;
  }

  /**
   * Refuses an anchor, and a comment after a text without quotes. YAML ignores both, so a value such as "&x" or "a #b"
   * would be stored without that part.
   */
  #checkProperties(node: ParsedNode & { readonly anchor?: string; readonly type?: string }): boolean {
    if (node.anchor !== undefined) this.reject(node, "& begins a YAML anchor here: put the text in quotes");
    else if (node.type === "PLAIN" && node.comment) {
      this.reject(node, "# begins a comment here: put the text in quotes, or the comment on a line of its own");
    } else return true;
    return false;
  }
}
