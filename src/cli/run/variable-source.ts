import { CommandFailed } from "../command-failed.ts";
import { isVariableName } from "./variable.ts";

/** A source of variables for `coffer run`. */
export type VariableSource =
  /** Every key of the secret becomes a variable of the same name. The writer of the secret chooses the names. */
  | { readonly kind: "secret"; readonly path: string }
  /** One value becomes the variable that the command line names. */
  | { readonly kind: "value"; readonly path: string; readonly key: string; readonly name: string };

// Neither a path nor a key contains "=" or ":" (coffer.proto, "Limits").
const VALUE = /^(?<name>[^=]+)=(?<path>[^:=]+):(?<key>[^:=]+)$/;

/** Parses `PATH` and `NAME=PATH:KEY`. Throws CommandFailed with all problems. */
export function parseVariableSources(texts: readonly string[]): VariableSource[] {
  const problems: string[] = [];
  const sources = texts.flatMap((text, index) => {
    const source = parseVariableSource(text);
    // The message does not quote the argument: it may be NAME=VALUE, as for env, with a secret as the value.
    if (source === undefined) problems.push(`invalid argument ${index + 1}: expected PATH or NAME=PATH:KEY`);
    return source ?? [];
  });
  if (problems.length > 0) throw new CommandFailed("usage", problems.join("\n"));
  return sources;
}

function parseVariableSource(text: string): VariableSource | undefined {
  if (!text.includes("=")) return { kind: "secret", path: text };
  const { name, path, key } = VALUE.exec(text)?.groups ?? {};
  if (name === undefined || path === undefined || key === undefined || !isVariableName(name)) return undefined;
  return { kind: "value", name, path, key };
}
