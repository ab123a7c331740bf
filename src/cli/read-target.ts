import { CommandFailed } from "./command-failed.ts";
import type { SecretFormat } from "./secret-format.ts";

/** What `coffer get` reads: a version of a secret, or the newest versions of several secrets. */
export type ReadTarget =
  | {
      readonly kind: "secret";
      readonly path: string;
      /** The key whose value is printed. */
      readonly key: string | undefined;
      /** The keys to read; undefined for all. */
      readonly keys: readonly string[] | undefined;
      readonly version: number | undefined;
    }
  | { readonly kind: "batch"; readonly paths: readonly string[] };

/** The flags that decide what is read. */
export interface TargetFlags {
  readonly output?: SecretFormat;
  readonly version?: number;
  readonly keys?: readonly string[];
  readonly batch?: boolean;
}

/**
 * Reads the arguments of `coffer get`: `PATH`, `PATH KEY`, or several paths. A key contains no slash (coffer.proto,
 * "Limits"), so a second argument with a slash is a path. Throws CommandFailed when flags do not suit the arguments.
 */
export function readTarget(arguments_: readonly string[], flags: TargetFlags): ReadTarget {
  const [path = "", second] = arguments_;
  if (flags.batch || arguments_.length > 2 || second?.includes("/")) return batchOf(arguments_, flags);
  const { version, keys } = flags;
  if (second !== undefined && keys !== undefined) throw new CommandFailed("usage", "use either a key or --keys");
  return { kind: "secret", path, key: second, keys: second === undefined ? keys : [second], version };
}

function batchOf(paths: readonly string[], { output = "table", version, keys }: TargetFlags): ReadTarget {
  const unsuited = version !== undefined ? "--version" : keys !== undefined ? "--keys" : undefined;
  if (unsuited !== undefined) throw new CommandFailed("usage", `${unsuited} needs a single path`);
  if (output !== "table" && output !== "json") throw new CommandFailed("usage", `-o ${output} needs a single path`);
  return { kind: "batch", paths };
}
