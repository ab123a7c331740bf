import { CommandFailed } from "../command-failed.ts";
import { isVariableName } from "./variable.ts";

/** What `coffer run` makes variables of. */
export type VariableSource =
  /** Every key of the secret becomes a variable of the same name: whoever writes the secret chooses the names. */
  | { readonly kind: "secret"; readonly path: string }
  /** One value becomes the variable that the command line names. */
  | { readonly kind: "value"; readonly path: string; readonly key: string; readonly name: string };

// Neither a path nor a key can hold "=" or ":" (coffer.proto, "Limits").
const VALUE = /^(?<name>[^=]+)=(?<path>[^:=]+):(?<key>[^:=]+)$/;

/** Reads `PATH` and `NAME=PATH:KEY`. Throws CommandFailed with everything that is wrong. */
export function parseVariableSources(texts: readonly string[]): VariableSource[] {
  const problems: string[] = [];
  const sources = texts.flatMap((text, index) => {
    const source = parseVariableSource(text);
    // The text is not shown: whoever writes NAME=VALUE, as for env, has put a secret here.
    if (source === undefined) problems.push(`argument ${index + 1} is neither PATH nor NAME=PATH:KEY`);
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
