import { StartError } from "../domain/start-refused.ts";

/** Where the server listens, and where clients call it, unless they are told otherwise. */
export const DEFAULT_ADDRESS = "127.0.0.1:8553";

/** Where probes, metrics and the status are served, and where `coffer status` asks, unless they are told otherwise. */
export const DEFAULT_OPS_ADDRESS = "127.0.0.1:9553";

/** One thing that a program can be told: by a flag, else by a variable, else by its default. */
export interface OptionDefinition {
  /** With its dashes, such as "--listen". */
  readonly flag: string;
  /** What stands for the value in help texts, such as "<address>"; empty for a switch, which takes none and then is "true". */
  readonly value: string;
  /**
   * The variable, such as COFFER_SERVER_LISTEN. None ends in _PORT or has _SERVICE_ in it: beside a Kubernetes Service named
   * coffer such names are set in every container, and not by whoever configures this program.
   */
  readonly variable: string;
  /** Whether the flag may be given several times; the variable then holds a list with commas. */
  readonly repeatable: boolean;
  /** The default for people; undefined: there is none. */
  readonly standard: string | undefined;
  /** A phrase for help texts and for docs/options.md. */
  readonly description: string;
}

/** Makes the definition of an option from its flag, its value, its description, and what else it has. */
export type DefineOption = (
  flag: string,
  value: string,
  description: string,
  rest?: { readonly standard?: string; readonly repeatable?: true },
) => OptionDefinition;

/**
 * Definitions whose variables are `prefix` and the flag's name. The client and the server have different prefixes: what
 * a shell exports for a client, such as its certificate, must never become the identity of a server that is started there.
 */
function definitionsWith(prefix: string): DefineOption {
  return (flag, value, description, { standard, repeatable = false } = {}) => {
    const variable = `${prefix}${flag.slice(2).replaceAll("-", "_").toUpperCase()}`;
    return { flag, value, variable, description, repeatable, standard };
  };
}

/** An option of a command that calls a server: `--addr` has the variable COFFER_ADDR. */
export const clientOption = definitionsWith("COFFER_");

/** An option of the server: `--listen` has the variable COFFER_SERVER_LISTEN. */
export const serverOption = definitionsWith("COFFER_SERVER_");

/** What was given on the command line: the flags by their names, repeatable ones as lists, switches as "true". */
export type GivenFlags = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A configuration that can't be used. Each problem is a sentence that names the flag or the variable. */
export class ConfigurationError extends StartError {
  override readonly name = "ConfigurationError";

  constructor(problems: readonly string[]) {
    super(problems.join("\n"), { problems });
  }
}

/** Reads options and gathers what is wrong with them, so that whoever configures a server learns everything at once. */
export class OptionReader {
  readonly #flags: GivenFlags;
  readonly #environment: Environment;
  readonly #problems: string[] = [];

  constructor(flags: GivenFlags, environment: Environment) {
    this.#flags = flags;
    this.#environment = environment;
  }

  /** The value, or undefined when nobody gave one or `parse` threw. */
  optional<T>(option: OptionDefinition, parse: (text: string) => T): T | undefined {
    const { texts, source } = this.#given(option);
    const [text] = texts;
    return text === undefined ? undefined : this.#parse(text, source, parse);
  }

  /** The same, where its absence is a problem. */
  required<T>(option: OptionDefinition, parse: (text: string) => T): T | undefined {
    if (!this.isGiven(option)) this.missing(option);
    return this.optional(option, parse);
  }

  /** Every value of a repeatable option. */
  all<T>(option: OptionDefinition, parse: (text: string) => T): T[] {
    const { texts, source } = this.#given(option);
    return texts.map((text) => this.#parse(text, source, parse)).filter((value) => value !== undefined);
  }

  isGiven(option: OptionDefinition): boolean {
    return this.#given(option).texts.length > 0;
  }

  /** The flag or the variable that gives it; undefined when nobody does. */
  sourceOf(option: OptionDefinition): string | undefined {
    return this.isGiven(option) ? this.#given(option).source : undefined;
  }

  /** Whether a variable that stands for no option of ours has a value. */
  hasVariable(name: string): boolean {
    return this.#variable(name) !== "";
  }

  /** The value of such a variable, or undefined when it has none or `parse` threw. */
  variable<T>(name: string, parse: (text: string) => T): T | undefined {
    return this.hasVariable(name) ? this.#parse(this.#variable(name), name, parse) : undefined;
  }

  missing(option: OptionDefinition): void {
    this.problem(`${option.flag} (or ${option.variable}) is required: ${option.description}`);
  }

  problem(sentence: string): void {
    this.#problems.push(sentence);
  }

  /** Throws {@link ConfigurationError} when there was any problem. What was read before is complete otherwise. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigurationError(this.#problems);
  }

  /** Throws as {@link finish} does. Otherwise no value is missing: what is required and absent was a problem. */
  complete<T extends object>(values: T): { readonly [Name in keyof T]-?: Exclude<T[Name], undefined> } {
    this.finish();
    const missing = Object.entries(values).find(([, value]) => value === undefined);
    if (missing !== undefined) throw new Error(`${missing[0]} is undefined, and no problem was reported`);
    return values as { readonly [Name in keyof T]-?: Exclude<T[Name], undefined> };
  }

  #given(option: OptionDefinition): { texts: readonly string[]; source: string } {
    const flag = this.#flags[option.flag];
    if (flag !== undefined) return { texts: typeof flag === "string" ? [flag] : flag, source: option.flag };
    const text = this.#variable(option.variable);
    const texts = option.repeatable ? text.split(",") : [text];
    return { texts: texts.map((part) => part.trim()).filter((part) => part !== ""), source: option.variable };
  }

  /** An empty variable counts as none: that is what `COFFER_SERVER_POLICY=` and a compose file without a value mean. */
  #variable(name: string): string {
    return this.#environment[name]?.trim() ?? "";
  }

  #parse<T>(text: string, source: string, parse: (text: string) => T): T | undefined {
    try {
      return parse(text);
    } catch (error) {
      this.problem(`${source}: ${(error as Error).message}`);
      return undefined;
    }
  }
}
