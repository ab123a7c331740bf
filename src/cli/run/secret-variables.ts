import { isUtf8 } from "node:buffer";
import type { Environment } from "../../config/option.ts";
import type { Secret } from "../../client/coffer-client.ts";
import type { ContentEntry } from "../../domain/content.ts";
import { CommandFailed } from "../command-failed.ts";
import { entriesOf } from "../entries-of.ts";
import { obeyedProblem } from "./obeyed-variable.ts";
import { variableProblem } from "./variable.ts";
import type { VariableSource } from "./variable-source.ts";

/** A variable that is to be, and where it comes from. */
interface Candidate {
  readonly name: string;
  readonly value: Uint8Array;
  readonly source: VariableSource;
}

/** A source of variables, and the secret that it names. */
export interface SourcedSecret {
  readonly source: VariableSource;
  readonly secret: Secret;
}

/**
 * The variables that secrets become. `inherited` is the environment that they
 * are added to: a secret that is taken whole never replaces what is set there. Throws CommandFailed with everything that
 * is wrong, in words that hold no value.
 */
export function secretVariables(secrets: readonly SourcedSecret[], inherited: Environment): Record<string, string> {
  const candidates = secrets.flatMap(candidatesOf);
  const problems = [...candidates.flatMap((candidate) => problemsOf(candidate, inherited)), ...collisions(candidates)];
  if (problems.length > 0) throw new CommandFailed("usage", problems.join("\n"));
  // fromEntries makes own properties, so that `__proto__` is one more name.
  return Object.fromEntries(candidates.map(({ name, value }) => [name, Buffer.from(value).toString()]));
}

function candidatesOf({ source, secret }: SourcedSecret): Candidate[] {
  const nameOf = ({ key }: ContentEntry) => (source.kind === "value" ? source.name : key);
  const entries = entriesOf(secret, source.kind === "value" ? source.key : undefined);
  return entries.map((entry) => ({ name: nameOf(entry), value: entry.value, source }));
}

function problemsOf(candidate: Candidate, inherited: Environment): string[] {
  const { name, value, source } = candidate;
  const problem = variableProblem(name, value) ?? textProblem(candidate) ?? nameProblem(candidate, inherited);
  return problem === undefined ? [] : [`${source.path}: ${problem}`];
}

/** Node takes variables as strings, and would put replacement characters in place of such bytes. */
function textProblem({ name, value }: Candidate): string | undefined {
  return isUtf8(value) ? undefined : `the value of ${name} is not UTF-8`;
}

/** A name on the command line is the word of whoever runs the command; any other name is that of whoever wrote a secret. */
function nameProblem({ name, source }: Candidate, inherited: Environment): string | undefined {
  if (source.kind === "value") return undefined;
  const instead = `if that is meant, give ${name}=${source.path}:${name}`;
  const obeyed = obeyedProblem(name);
  if (obeyed !== undefined) return `${obeyed}; ${instead}`;
  if (Object.hasOwn(inherited, name)) return `the variable ${name} is set already; ${instead}`;
  return undefined;
}

/** Nobody could tell which of the values is meant. */
function collisions(candidates: readonly Candidate[]): string[] {
  const paths = new Map<string, string[]>();
  for (const { name, source } of candidates) paths.set(name, [...(paths.get(name) ?? []), source.path]);
  return [...paths].flatMap(([name, from]) =>
    from.length === 1 ? [] : [`the variable ${name} comes from ${from.join(" and from ")}`],
  );
}
