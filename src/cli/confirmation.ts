import { createInterface } from "node:readline/promises";
import { CommandFailed } from "./command-failed.ts";
import { printable } from "./printable.ts";
import { endedBy } from "./run/signal-relay.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Asks whether to make a change that can't be undone, unless `yes` is set. Any answer other than y or yes is a no.
 * Throws CommandFailed after a no, or without a terminal: a script has to use --yes, because its standard input does not
 * come from a user.
 */
export async function confirm(
  change: string,
  { yes = false }: { readonly yes?: boolean | undefined },
  terminal: Terminal,
): Promise<void> {
  if (yes) return;
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    throw new CommandFailed("usage", `to ${change}, which can't be undone, use --yes; nothing was changed`);
  }
  const answer = await askOnTerminal(`Do you want to ${change}? This can't be undone. [y/N] `, terminal);
  if (!/^\s*y(es)?\s*$/i.test(answer)) throw new CommandFailed("other", "not confirmed; nothing was changed");
}

/**
 * Asks a question whose answer is not secret. The end of the input is an empty answer. Rejects with the ExitStatus of
 * SIGINT at Ctrl-C, and with the reason of `aborted` when that is aborted.
 */
export async function askOnTerminal(
  question: string,
  { stdin, stderr }: Terminal,
  aborted?: AbortSignal,
): Promise<string> {
  aborted?.throwIfAborted();
  const lines = createInterface({ input: stdin, output: stderr, terminal: true, historySize: 0 });
  try {
    return await new Promise((resolve, reject) => {
      lines.once("SIGINT", () => reject(endedBy("SIGINT", "interrupted; nothing was changed")));
      lines.once("close", () => resolve(""));
      aborted?.addEventListener("abort", () => reject(aborted.reason), { once: true });
      lines.question(printable(question)).then(resolve, reject);
    });
  } finally {
    lines.close();
  }
}
