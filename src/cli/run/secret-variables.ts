import { isUtf8 } from "node:buffer";
import type { Environment } from "../../config/option.ts";
import type { Secret } from "../../client/read-secret.ts";
import type { ContentEntry } from "../../domain/content.ts";
import { CommandFailed } from "../command-failed.ts";
import { entriesOf } from "../entries-of.ts";
import { obeyedProblem } from "./obeyed-variable.ts";
import { variableProblem } from "./variable.ts";
import type { VariableSource } from "./variable-source.ts";

/** A variable to set, and its source. */
interface Candidate {
  readonly name: string;
  readonly value: Uint8Array;
  readonly source: VariableSource;
}

/** A source of variables, and the secret that was read from it. */
export interface SourcedSecret {
  readonly source: VariableSource;
  readonly secret: Pick<Secret, "path" | "version" | "content">;
}

/**
 * Converts secrets to variables. `inherited` is the environment to which they are added: a source without a variable
 * name never replaces a variable in it. Throws CommandFailed with all problems; its message contains no value.
 */
export function secretVariables(secrets: readonly SourcedSecret[], inherited: Environment): Record<string, string> {
  const candidates = secrets.flatMap(candidatesOf);
  const problems = [...candidates.flatMap((candidate) => problemsOf(candidate, inherited)), ...collisions(candidates)];
  if (problems.length > 0) throw new CommandFailed("usage", problems.join("\n"));
  // fromEntries creates own properties, so the name `__proto__` does not change the prototype.
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

/** Refuses values that are not UTF-8: Node passes variables as strings and would replace invalid bytes. */
function textProblem({ name, value }: Candidate): string | undefined {
  return isUtf8(value) ? undefined : `the value of ${name} is not UTF-8`;
}

/**
 * Refuses names that the writer of the secret chose and that have an effect on other programs or are already set. A
 * name from the command line is accepted, because the user who runs the command chose it.
 */
function nameProblem({ name, source }: Candidate, inherited: Environment): string | undefined {
  if (source.kind === "value") return undefined;
  const instead = `if this is intended, use ${name}=${source.path}:${name}`;
  const obeyed = obeyedProblem(name);
  if (obeyed !== undefined) return `${obeyed}; ${instead}`;
  if (Object.hasOwn(inherited, name)) return `the variable ${name} is already set; ${instead}`;
  return undefined;
}

/** Variables that several sources set: the intended value is ambiguous. */
function collisions(candidates: readonly Candidate[]): string[] {
  const paths = new Map<string, string[]>();
  for (const { name, source } of candidates) paths.set(name, [...(paths.get(name) ?? []), source.path]);
  return [...paths].flatMap(([name, from]) =>
    from.length === 1 ? [] : [`the variable ${name} has several sources: ${from.join(", ")}`],
  );
}
