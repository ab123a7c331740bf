import { PROGRAM, type Ran, type RunOptions, runToEnd } from "./cli-kit.ts";

/** `coffer` in a shell: the compiled program under test. */
const COFFER = `coffer() { "${process.execPath}" "${PROGRAM}" "$@"; }`;

/**
 * Runs a block of commands of a page, as an operator pastes it, in a shell in which `coffer` is the program under test. The
 * shell ends at the first command that fails. `setup` is run first.
 */
export function pasted(
  commands: string,
  { setup = "", ...options }: RunOptions & { readonly setup?: string } = {},
): Promise<Ran> {
  return runToEnd("sh", ["-euc", `${COFFER}\n${setup}\n${commands}`], options);
}
