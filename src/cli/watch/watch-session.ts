import type { CofferClient, SecretEvent, SecretWatch, WatchOptions } from "../../client/index.ts";
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

/** A watch on behalf of `coffer watch`. */
export interface WatchTask {
  readonly client: CofferClient;
  readonly options: WatchOptions;
  /** Whether to end when the newest states have arrived, and to fail if the connection fails before. */
  readonly once: boolean;
  readonly world: World;
}

/** Where changes go. */
interface ChangeSink {
  /** Resolves when the next change can be taken. */
  readonly take: (change: ShownChange) => Promise<void>;
  readonly synced: (event: Extract<SecretEvent, { readonly kind: "synced" }>, time: number) => Promise<void>;
}

/** Prints changes until the watch ends. Rejects with OutputFailed when the output is closed. */
export async function printChanges(task: WatchTask, format: "text" | "json"): Promise<void> {
  const { stdout } = task.world;
  const watch = task.client.watch(task.options);
  await follow(watch, task, {
    take: async (change) => {
      await write(stdout, format === "json" ? changeJson(change) : changeText(change));
      report(watch, change, "received");
    },
    synced: async (event, time) => {
      if (format === "json") await write(stdout, syncedJson(event, time));
    },
  });
}

/**
 * Runs a command for each change until the watch ends, or until a signal. The signal is also passed to the command that
 * runs. Settles after the end of that command. Rejects with CommandFailed if the watch has ended and a command has
 * failed.
 */
export async function runForChanges(task: WatchTask, command: string, relay: SignalRelay): Promise<void> {
  const { client, options, world } = task;
  const watch = client.watch(options);
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
  try {
    await follow(watch, task, { take: (change) => commands.add(change), synced: () => commands.idle() });
  } finally {
    // Also after an error: the process must not exit before the command, nor without the changes that it has received.
    await commands.idle();
  }
  if (ended !== undefined) throw ended;
  const { failures } = commands;
  if (failures > 0) throw new CommandFailed("other", `failed commands: ${failures}`);
}

/** Passes the changes of a watch to a sink, and writes to standard error about the stream. */
async function follow(watch: SecretWatch, { once, world }: WatchTask, sink: ChangeSink): Promise<void> {
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
