import type { World } from "../../process/world.ts";
import { endedBy } from "../run/signal-relay.ts";

/** The signals with which users, terminals and supervisors end this program. */
const ENDING = ["SIGTERM", "SIGHUP"] as const;

/** A terminal sends these also to the editor, which decides what they mean. */
const OF_TERMINALS = ["SIGINT", "SIGQUIT"] as const;

/**
 * Runs `work`, and aborts its signal at SIGTERM and SIGHUP. These would otherwise end this process at once, before
 * `work` can remove its files. `work` has to end when its signal is aborted. The reason of the abort is an ExitStatus.
 * Ignores SIGINT and SIGQUIT.
 */
export async function abortedBySignals<Result>(
  world: Pick<World, "on" | "off">,
  work: (aborted: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const end = (signal: NodeJS.Signals) => controller.abort(endedBy(signal, `ended by ${signal}; nothing was changed`));
  const ignore = () => {};
  for (const signal of ENDING) world.on(signal, end);
  for (const signal of OF_TERMINALS) world.on(signal, ignore);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of ENDING) world.off(signal, end);
    for (const signal of OF_TERMINALS) world.off(signal, ignore);
  }
}
