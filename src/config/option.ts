import { StartError } from "../domain/start-refused.ts";

/** The default address of the server, for the server and for clients. */
export const DEFAULT_ADDRESS = "127.0.0.1:8553";

/** The default address of the ops listener, for the server and for `coffer status`. */
export const DEFAULT_OPS_ADDRESS = "127.0.0.1:9553";

/** An option of the program. Its value comes from the flag, otherwise from the variable, otherwise from the default. */
export interface OptionDefinition {
  /** With its dashes, such as "--listen". */
  readonly flag: string;
  /** The placeholder of the value in help texts, such as "<address>"; empty for a switch, whose value is "true". */
  readonly value: string;
  /**
   * The variable, such as COFFER_SERVER_LISTEN. No name ends in _PORT or contains _SERVICE_: for a Service named
   * coffer, Kubernetes sets variables with such names in every container.
   */
  readonly variable: string;
  /** Whether the flag may be repeated. The variable then holds a comma-separated list. */
  readonly repeatable: boolean;
  /** The default as shown in help texts; undefined: no default. */
  readonly standard: string | undefined;
  /** A phrase for help texts and for docs/options.md. */
  readonly description: string;
}

/** Defines an option by its flag, the placeholder of its value, its description and its other properties. */
export type DefineOption = (
  flag: string,
  value: string,
  description: string,
  rest?: { readonly standard?: string; readonly repeatable?: true },
) => OptionDefinition;

/**
 * Defines options whose variables are `prefix` and the name of the flag. The client and the server have different
 * prefixes: a certificate that a shell exports for clients must not become the identity of a server started in that
 * shell.
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

/** The flags on the command line, by name. A repeatable flag has a list, and a switch has the value "true". */
export type GivenFlags = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The environment of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** An invalid configuration. Each problem is a sentence that names the flag or the variable. */
export class ConfigurationError extends StartError {
  override readonly name = "ConfigurationError";

  constructor(problems: readonly string[]) {
    super(problems.join("\n"), { problems });
  }
}

/** Reads options and collects their problems, so that the operator sees all of them at once. */
export class OptionReader {
  readonly #flags: GivenFlags;
  readonly #environment: Environment;
  readonly #problems: string[] = [];

  constructor(flags: GivenFlags, environment: Environment) {
    this.#flags = flags;
    this.#environment = environment;
  }

  /** The value; undefined if there is none or `parse` threw. */
  optional<T>(option: OptionDefinition, parse: (text: string) => T): T | undefined {
    const { texts, source } = this.#given(option);
    const [text] = texts;
    return text === undefined ? undefined : this.#parse(text, source, parse);
  }

  /** Like {@link optional}, but reports a problem if there is no value. */
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

  /** The flag or the variable that sets the option; undefined if neither does. */
  sourceOf(option: OptionDefinition): string | undefined {
    return this.isGiven(option) ? this.#given(option).source : undefined;
  }

  /** Whether a variable that belongs to no option has a value. */
  hasVariable(name: string): boolean {
    return this.#variable(name) !== "";
  }

  /** The value of a variable that belongs to no option; undefined if there is none or `parse` threw. */
  variable<T>(name: string, parse: (text: string) => T): T | undefined {
    return this.hasVariable(name) ? this.#parse(this.#variable(name), name, parse) : undefined;
  }

  missing(option: OptionDefinition): void {
    this.problem(`${option.flag} (or ${option.variable}) is required: ${option.description}`);
  }

  problem(sentence: string): void {
    this.#problems.push(sentence);
  }

  /** Throws {@link ConfigurationError} if there were any problems. */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigurationError(this.#problems);
  }

  /**
   * Throws like {@link finish}. If there were no problems, returns the values, none of which is undefined: a required
   * value that is missing was reported as a problem.
   */
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

  /** An empty variable counts as unset, as in `COFFER_SERVER_POLICY=` and in a compose file without a value. */
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
