import Handlebars from "handlebars";

/** The values of secrets for a template: by the name of a secret in the template, and by key. */
export type TemplateValues = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A template can't be read or rendered. The message names a place and names of the template, never a value. */
export class TemplateProblem extends Error {
  override readonly name = "TemplateProblem";
}

/** An object that has only its own keys, see {@link mappingOf}. */
type Mapping = Record<string, unknown>;

/**
 * Handlebars' helpers that remain. `log` would write values to standard output, and `lookup` returns nothing for a
 * missing key. The last two are the hooks that compiled blocks call.
 */
const KEPT: readonly string[] = ["if", "unless", "each", "with", "helperMissing", "blockHelperMissing"];

/** Helpers of Coffer. Each takes values only, and has no access to files or to the environment. */
const OWN: Readonly<Record<string, (...values: unknown[]) => unknown>> = {
  /** A value as a string of JSON, with its quotes. */
  json: (value) => JSON.stringify(textOf(value)),
  /** The UTF-8 bytes of a value in base64 (RFC 4648, section 4). */
  base64: (value) => Buffer.from(textOf(value)).toString("base64"),
  /** Whether a secret has a key. Without it, a template could not use optional keys. */
  has: (secret, key) => Object.hasOwn(secretOf(secret), textOf(key)),
};

const engine = createEngine();

function createEngine(): typeof Handlebars {
  const created = Handlebars.create();
  for (const name of Object.keys(created.helpers)) if (!KEPT.includes(name)) created.unregisterHelper(name);
  for (const [name, helper] of Object.entries(OWN)) created.registerHelper(name, (...given) => helper(...given));
  return created;
}

const OPTIONS: CompileOptions = {
  // Files are not HTML: "&" in a password must not become "&amp;".
  noEscape: true,
  // A missing key is an error. By default, it would be rendered as nothing.
  strict: true,
  // An unknown helper is an error when the template is read.
  knownHelpersOnly: true,
  knownHelpers: { log: false, lookup: false, ...Object.fromEntries(Object.keys(OWN).map((name) => [name, true])) },
};

/** Handlebars never looks at prototypes. These are its defaults; here they can't change with a release. */
const SEALED: Handlebars.RuntimeOptions = {
  allowProtoMethodsByDefault: false,
  allowProtoPropertiesByDefault: false,
  allowCallsToHelperMissing: false,
};

/** A Handlebars template that has only the values of its secrets. */
export class Template {
  readonly #render: HandlebarsTemplateDelegate<Mapping>;

  private constructor(render: HandlebarsTemplateDelegate<Mapping>) {
    this.#render = render;
  }

  /** Reads a template that uses these names of secrets. Throws {@link TemplateProblem}. */
  static parse(text: string, names: readonly string[]): Template {
    const program = parseText(text);
    new Check(names).accept(program);
    try {
      // compile() alone reports unknown helpers only when the template is rendered.
      engine.precompile(program, OPTIONS);
      return new Template(engine.compile<Mapping>(program, OPTIONS));
    } catch (error) {
      throw new TemplateProblem(`${placeOf(error)}unknown helper, or a helper that is used incorrectly`);
    }
  }

  /** Renders the template. Throws {@link TemplateProblem}. */
  render(values: TemplateValues): string {
    try {
      return this.#render(contextOf(values), SEALED);
    } catch (error) {
      // Messages of Handlebars and of V8 quote values: "Cannot use 'in' operator to search for 'x' in hunter2".
      if (error instanceof TemplateProblem) throw error;
      throw new TemplateProblem(`${placeOf(error)}an expression does not name a value of a secret`);
    }
  }
}

function contextOf(values: TemplateValues): Mapping {
  const secrets = [...values].map(([name, keys]) => [name, mappingOf(`the secret ${name}`, keys)] as const);
  return mappingOf("the template", new Map<string, unknown>(secrets));
}

/**
 * An object without a prototype that throws for every missing key. Handlebars' strict mode alone renders
 * `{{#if db.missing}}` and `{{#each db.missing}}` as if the key had an empty value.
 */
function mappingOf(what: string, entries: ReadonlyMap<string, unknown>): Mapping {
  const own: Mapping = Object.create(null);
  for (const [key, value] of entries) own[key] = value;
  const check = (key: string | symbol) => {
    if (key === Symbol.toPrimitive) throw new TemplateProblem(`${what} is used like a value; name one of its keys`);
    if (typeof key === "string" && !entries.has(key)) {
      throw new TemplateProblem(
        `${JSON.stringify(key)} is missing: ${what} has no such key, or its value is not UTF-8`,
      );
    }
  };
  return new Proxy(own, {
    get: (_, key) => {
      check(key);
      return typeof key === "string" ? own[key] : undefined;
    },
    has: (_, key) => {
      check(key);
      return typeof key === "string";
    },
  });
}

function parseText(text: string): hbs.AST.Program {
  try {
    return engine.parse(text);
  } catch (error) {
    // The message of the parser quotes the template over several lines; its first line has the place.
    const line = /^Parse error on line (\d+)/.exec((error as Error).message)?.[1];
    throw new TemplateProblem(
      `${line === undefined ? placeOf(error) : `line ${line}: `}not a valid Handlebars template`,
    );
  }
}

/** Refuses what a template can't use, so that the problem is reported before any secret is read. */
class Check extends Handlebars.Visitor {
  readonly #names: readonly string[];
  /** How many blocks around the current node give names another meaning. */
  #scopes = 0;

  constructor(names: readonly string[]) {
    super();
    this.#names = names;
  }

  override PartialStatement(node: hbs.AST.PartialStatement): void {
    refuse(node, "partials are not supported");
  }

  override PartialBlockStatement(node: hbs.AST.PartialBlockStatement): void {
    refuse(node, "partials are not supported");
  }

  // Inline partials are decorators.
  override Decorator(node: hbs.AST.Decorator): void {
    refuse(node, "decorators are not supported");
  }

  override DecoratorBlock(node: hbs.AST.DecoratorBlock): void {
    refuse(node, "decorators are not supported");
  }

  override BlockStatement(block: hbs.AST.BlockStatement): void {
    this.acceptArray(block.params);
    this.accept(block.path);
    const isCondition = ["if", "unless"].includes(String(block.path.original));
    if (!isCondition) this.#scopes += 1;
    this.accept(block.program);
    if (block.inverse) this.accept(block.inverse);
    if (!isCondition) this.#scopes -= 1;
  }

  override PathExpression(path: hbs.AST.PathExpression): void {
    const [first] = path.parts;
    if (path.data || path.depth > 0 || this.#scopes > 0 || isHelper(path)) return;
    if (first === undefined || this.#names.includes(first)) return;
    refuse(path, `${JSON.stringify(first)} is neither a helper nor one of the secrets ${this.#names.join(", ")}`);
  }
}

function isHelper({ original }: hbs.AST.PathExpression): boolean {
  return KEPT.includes(String(original)) || Object.hasOwn(OWN, String(original));
}

function refuse({ loc }: hbs.AST.Node, message: string): never {
  throw new TemplateProblem(`line ${loc.start.line}, column ${loc.start.column + 1}: ${message}`);
}

function placeOf(error: unknown): string {
  const { lineNumber, column } = error as Handlebars.Exception;
  return typeof lineNumber === "number" ? `line ${lineNumber}, column ${Number(column) + 1}: ` : "";
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new TemplateProblem("an argument of a helper is not a value");
}

function secretOf(value: unknown): object {
  if (typeof value === "object" && value !== null) return value;
  throw new TemplateProblem("the first argument of has is not a secret");
}
