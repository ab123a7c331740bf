import { execFileSync } from "node:child_process";
import { LONG } from "../support/long-form.ts";

/** A release of Node other than the running one. */
export type OtherNode =
  | { readonly kind: "here"; readonly name: string; readonly path: string }
  | { readonly kind: "missing"; readonly name: string; readonly why: string };

/** The lines on which Coffer runs, see "engines" in package.json. */
const LINES = ["20", "22", "24", "26"];

/**
 * The executables that COFFER_TEST_NODES names, separated by colons. If this variable is not set, the long form of the
 * tests uses the tested releases of each other line, and the short form uses none.
 */
export function otherNodes(): readonly OtherNode[] {
  const paths = process.env["COFFER_TEST_NODES"]?.split(":") ?? [];
  if (paths.length > 0) return paths.map((path) => ({ kind: "here", name: path, path }));
  const others = LINES.filter((line) => !process.version.startsWith(`v${line}.`));
  return LONG ? others.flatMap(fetched) : [];
}

/** Fetches the releases of a line from the npm registry, as `npm run test:nodes` does. They are kept for later runs. */
function fetched(line: string): readonly OtherNode[] {
  const name = `Node ${line}`;
  const command = ["scripts/test-nodes.mjs", "--paths", `--lines=${line}`];
  try {
    const paths = execFileSync(process.execPath, command, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return paths
      .trim()
      .split("\n")
      .map((path) => ({ kind: "here", name, path }));
  } catch (error) {
    const output = String((error as { stderr?: string }).stderr ?? error);
    return [{ kind: "missing", name, why: `it can't be fetched: ${/Error: .*/.exec(output)?.[0] ?? output}` }];
  }
}
