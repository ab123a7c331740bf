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

/** Something that is wrong with a text as YAML. */
interface YamlError {
  /** In UTF-16 code units, from 0. */
  readonly offset: number;
  readonly code: ErrorCode;
  /** In the parser's own words. */
  readonly message: string;
}

/** What a text is as YAML: what it holds counts only if there are no errors. */
export interface YamlDocument {
  readonly contents: ParsedNode | null;
  readonly errors: readonly YamlError[];
}

/** More than any policy needs: a list in a rule in the list of rules is seven levels deep, as the parser counts them. */
const MAX_DEPTH = 16;

const OPTIONS = {
  schema: "core",
  resolveKnownTags: false,
  prettyErrors: false,
  // The composer compares each key with all before it, and a large file would take minutes: the reader does it.
  uniqueKeys: false,
} as const;

/** Thrown between two tokens, so that what comes after them is never looked at. */
class TooDeep extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super("the nesting is too deep");
    this.offset = offset;
  }
}

/**
 * Reads one document of YAML 1.2, core schema. Its lines are added to `lines`. As `parseDocument` of the package, but for
 * its depth: that composes nested nodes by recursion until the stack is full, and where V8 happens to compile a regular
 * expression just then, Node 20 ends the process.
 */
export function parseYaml(text: string, lines: LineCounter): YamlDocument {
  try {
    return withoutStacks(() => documentOf(new Composer(OPTIONS).compose(tokensOf(text, lines), true, text.length)));
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
    return { contents: null, errors: [{ offset: error.offset, code: "RESOURCE_EXHAUSTION", message: error.message }] };
  }
}

/** Each error of the composer would otherwise note where in its code it was made: three quarters of a bad file's time. */
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
  // The package composes one document even of an empty text.
  if (document === undefined) return { contents: null, errors: [] };
  const found = [...document.errors, ...document.warnings];
  const errors: YamlError[] = found.map(({ pos, code, message }) => ({ offset: pos[0], code, message }));
  errors.push(...knownTags(document));
  if (second !== undefined)
    errors.push({ offset: second.range[0], code: "MULTIPLE_DOCS", message: "a second document" });
  return { contents: document.contents, errors };
}

/** A tag of the core schema, or the one that says "as a string, a list or a mapping" (YAML 1.2.2, 6.9.1). */
const RESOLVED = /^(?:tag:yaml\.org,2002:(?:map|seq|str|null|bool|int|float)|!)$/;

/** Tags of the core schema, such as !!str, which are no errors to the package: one changes what a text means. */
function knownTags(document: Document.Parsed): YamlError[] {
  const tags: YamlError[] = [];
  visit(document, (_key, node) => {
    // Another tag than these is a warning of the package's already.
    if (!isNode(node) || !RESOLVED.test(node.tag ?? "")) return;
    tags.push({ offset: node.range?.[0] ?? 0, code: "TAG_RESOLVE_FAILED", message: `the tag ${node.tag}` });
  });
  return tags;
}

function* tokensOf(text: string, lines: LineCounter) {
  const parser = new Parser(lines.addNewLine);
  // As parser.parse() does it.
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH) throw new TooDeep(parser.offset);
  }
  yield* parser.end();
}
