import {
  Composer,
  type Document,
  type ErrorCode,
  isNode,
  Lexer,
  type LineCounter,
  type ParsedNode,
  Parser,
  visit,
} from "yaml";

/** A YAML error. */
interface YamlError {
  /** In UTF-16 code units, from 0. */
  readonly offset: number;
  readonly code: ErrorCode;
  /** The message of the parser. */
  readonly message: string;
}

/** A parsed document. The contents are valid only if there are no errors. */
export interface YamlDocument {
  readonly contents: ParsedNode | null;
  readonly errors: readonly YamlError[];
}

/** The maximum depth. A policy needs seven levels, as the parser counts them: a list in a rule in the list of rules. */
const MAX_DEPTH = 16;

const OPTIONS = {
  schema: "core",
  resolveKnownTags: false,
  prettyErrors: false,
  // With this check, the composer compares each key with all previous ones, which takes minutes for a large file.
  // The readers of documents report repeated keys instead.
  uniqueKeys: false,
} as const;

/** Thrown between two tokens, so that the rest of the text is not read. */
class TooDeep extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super("the nesting is too deep");
    this.offset = offset;
  }
}

/**
 * Parses one YAML 1.2 document in the core schema, and adds its lines to `lines`. It differs from the package's
 * `parseDocument` in the limit on depth. That function composes nested nodes by recursion until the stack overflows,
 * and if V8 compiles a regular expression at that moment, Node 20 ends the process.
 */
export function parseYaml(text: string, lines: LineCounter): YamlDocument {
  try {
    return withoutStacks(() => documentOf(new Composer(OPTIONS).compose(tokensOf(text, lines), true, text.length)));
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
    return { contents: null, errors: [{ offset: error.offset, code: "RESOURCE_EXHAUSTION", message: error.message }] };
  }
}

/**
 * Disables stack traces during an action. The stack traces of the composer's errors take three quarters of the time
 * that an invalid file takes.
 */
function withoutStacks<Result>(action: () => Result): Result {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return action();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function documentOf(documents: Iterable<Document.Parsed>): YamlDocument {
  const [document, second] = documents;
  // The package composes one document even from an empty text.
  if (document === undefined) return { contents: null, errors: [] };
  const found = [...document.errors, ...document.warnings];
  const errors: YamlError[] = found.map(({ pos, code, message }) => ({ offset: pos[0], code, message }));
  errors.push(...knownTags(document));
  if (second !== undefined)
    errors.push({ offset: second.range[0], code: "MULTIPLE_DOCS", message: "a second document" });
  return { contents: document.contents, errors };
}

/** A tag of the core schema, or the non-specific tag "!" (YAML 1.2.2, 6.9.1). */
const RESOLVED = /^(?:tag:yaml\.org,2002:(?:map|seq|str|null|bool|int|float)|!)$/;

/**
 * Reports tags of the core schema, such as !!str. The package accepts them, but a tag changes the meaning of a text.
 */
function knownTags(document: Document.Parsed): YamlError[] {
  const tags: YamlError[] = [];
  visit(document, (_key, node) => {
    // For every other tag, the package reports a warning.
    if (!isNode(node) || !RESOLVED.test(node.tag ?? "")) return;
    tags.push({ offset: node.range?.[0] ?? 0, code: "TAG_RESOLVE_FAILED", message: `the tag ${node.tag}` });
  });
  return tags;
}

function* tokensOf(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  // The first line begins here. parser.parse(), which is not used here, does the same.
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH) throw new TooDeep(parser.offset);
  }
  yield* parser.end();
}
