import type { CofferClient, SecretEvent, SecretWatch } from "../../client/index.ts";
import { systemClock } from "../../domain/timers.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";
import type { ExitStatus } from "../exit-status.ts";
import { notify } from "../notice.ts";
import { write } from "../output.ts";
import { RunningCommand } from "../run/child-command.ts";
import { type SignalRelay, endedBy } from "../run/signal-relay.ts";
import { ChangeCommands } from "./change-commands.ts";
import { type ShownChange, changeJson, changeText, shownChange, syncedJson } from "./shown-change.ts";
import { StreamNotices } from "./stream-notices.ts";

/** What `coffer watch` watches, and what it does with the changes. */
export interface WatchedScope {
  readonly paths: readonly string[];
  readonly prefixes: readonly string[];
  readonly withValues: boolean;
  readonly instance: string;
  /** Whether to end when the newest states have arrived. */
  readonly once: boolean;
}

/** Where changes go. */
interface ChangeSink {
  /** Resolves when the next change can be taken. */
  readonly take: (change: ShownChange) => Promise<void>;
  readonly synced: (event: Extract<SecretEvent, { readonly kind: "synced" }>, time: number) => Promise<void>;
}

/** Prints changes until the watch ends. Rejects with OutputFailed when the output is closed. */
export async function printChanges(
  client: CofferClient,
  scope: WatchedScope,
  format: "text" | "json",
  world: World,
): Promise<void> {
  const watch = client.watch(scope);
  await follow(watch, scope, world, {
    take: async (change) => {
      await write(world.stdout, format === "json" ? changeJson(change) : changeText(change));
      report(watch, change, "received");
    },
    synced: async (event, time) => {
      if (format === "json") await write(world.stdout, syncedJson(event, time));
    },
  });
}

/**
 * Runs a command for each change until the watch ends, or until a signal. The signal is also passed to the command that
 * runs, and this then waits for its end. Rejects with CommandFailed if `scope.once` and a command has failed.
 */
export async function runForChanges(
  client: CofferClient,
  scope: WatchedScope,
  command: string,
  world: World,
  relay: SignalRelay,
): Promise<void> {
  const watch = client.watch(scope);
  const commands = new ChangeCommands({
    command,
    env: world.env,
    start: (child) => new RunningCommand(child),
    onDone: (change) => report(watch, change, "in-use"),
    onNotice: (text) => notify(world, text),
  });
  let ended: ExitStatus | undefined;
  relay.passTo(
    (signal) => commands.send(signal),
    (signal) => {
      if (signal === "SIGWINCH") return;
      ended ??= endedBy(signal);
      commands.end();
      void watch.return();
    },
  );
  await follow(watch, scope, world, { take: (change) => commands.add(change), synced: () => commands.idle() });
  await commands.idle();
  if (ended !== undefined) throw ended;
  if (commands.failures > 0) throw new CommandFailed("other", `the command failed for ${commands.failures} changes`);
}

/** Passes the changes of a watch to a sink, and writes to standard error about the stream. */
async function follow(watch: SecretWatch, { once }: WatchedScope, world: World, sink: ChangeSink): Promise<void> {
  const notices = new StreamNotices();
  for await (const event of watch) {
    const time = systemClock();
    if (event.kind === "disconnected" && once) throw event.error;
    const text = notices.about(event);
    if (text !== undefined) notify(world, text);
    const change = shownChange(event, time);
    if (change !== undefined) await sink.take(change);
    if (event.kind !== "synced") continue;
    await sink.synced(event, time);
    if (once) return;
  }
}

/** Reports that a live version was received or is used. A watch repeats its reports after a reconnect. */
function report(watch: SecretWatch, { path, version, state }: ShownChange, reported: "received" | "in-use"): void {
  if (version !== undefined && state === "LIVE") watch.report(path, version, reported).catch(() => {});
}
