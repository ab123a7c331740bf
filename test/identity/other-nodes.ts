import { execFileSync } from "node:child_process";
import { LONG } from "../support/long-form.ts";

/** Another Node than the one that runs. */
export type OtherNode =
  | { readonly kind: "here"; readonly name: string; readonly path: string }
  | { readonly kind: "missing"; readonly name: string; readonly why: string };

/** The lines on which Coffer runs, see "engines" in package.json. */
const LINES = ["20", "22", "24", "26"];

/**
 * Those of COFFER_TEST_NODES, paths with colons between; otherwise in the long form the tested releases of each other
 * line.
 */
export function otherNodes(): readonly OtherNode[] {
  const paths = process.env["COFFER_TEST_NODES"]?.split(":") ?? [];
  if (paths.length > 0) return paths.map((path) => ({ kind: "here", name: path, path }));
  const others = LINES.filter((line) => !process.version.startsWith(`v${line}.`));
  return LONG ? others.flatMap(fetched) : [];
}

/** From the npm registry, as `npm run test:nodes` does it; kept for the next time. */
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
