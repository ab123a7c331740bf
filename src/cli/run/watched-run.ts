import type { CofferClient, SecretWatch, SecretEvent } from "../../client/index.ts";
import { MAX_WATCHED } from "../../contract/limits.ts";
import { processTimers } from "../../domain/timers.ts";
import type { World } from "../../process/world.ts";
import { CommandFailed } from "../command-failed.ts";
import type { ExitStatus } from "../exit-status.ts";
import { notify } from "../notice.ts";
import { StreamNotices } from "../watch/stream-notices.ts";
import { RunningCommand } from "./child-command.ts";
import { NewestSecrets } from "./newest-secrets.ts";
import type { ChangeReaction } from "./change-reaction.ts";
import { type SourcedSecret, secretVariables } from "./secret-variables.ts";
import type { SignalRelay } from "./signal-relay.ts";
import { SupervisedCommand } from "./supervised-command.ts";

/** The default of --min-interval, in milliseconds. */
const MIN_INTERVAL_MS = 10_000;

/** The default of --grace, in milliseconds. */
const GRACE_MS = 10_000;

/** A command to run with secrets, and what to do when they change. */
export interface WatchedRun {
  readonly client: CofferClient;
  /** The sources, with the versions with which the command starts. */
  readonly secrets: readonly SourcedSecret[];
  readonly program: string;
  readonly arguments: readonly string[];
  readonly reaction: ChangeReaction;
  readonly minInterval?: number;
  readonly grace?: number;
  readonly instance: string;
}

/**
 * Runs a command and watches its secrets. Resolves to its status when it ends by itself. Rejects with CommandFailed when
 * there are too many secrets or when they can't be variables, and with ExitStatus when the command can't be run.
 */
export async function runWatched(run: WatchedRun, relay: SignalRelay, world: World): Promise<ExitStatus> {
  const { client, instance, secrets, reaction, minInterval = MIN_INTERVAL_MS, grace = GRACE_MS } = run;
  const newest = new NewestSecrets(
    secrets.map(({ source }) => source),
    world.env,
  );
  for (const { secret } of secrets) newest.set(secret);
  // Otherwise the server would refuse the watch, but only after the command has started.
  if (newest.versions.size > MAX_WATCHED)
    throw new CommandFailed("usage", `--watch allows at most ${MAX_WATCHED} secrets, not ${newest.versions.size}`);
  const first = { kind: "start", variables: secretVariables(secrets, world.env), versions: newest.versions } as const;
  const watch = client.watch({ paths: [...first.versions.keys()], instance });
  const command = new SupervisedCommand({
    reaction,
    secrets: newest,
    minIntervalMs: minInterval,
    graceMs: grace,
    timers: processTimers,
    start: (variables) => new RunningCommand({ ...run, env: { ...world.env, ...variables } }),
    onInUse: (versions) => {
      for (const [path, version] of versions) reportInUse(watch, path, version);
    },
    onNotice: (text) => notify(world, text),
  });
  relay.passTo(
    (signal) => command.pass(signal),
    (signal) => command.notice(signal),
  );
  void follow(watch, { newest, command, world });
  try {
    return await command.run(first);
  } finally {
    await watch.return();
  }
}

/** What the events of a watch change. */
interface Followers {
  readonly newest: NewestSecrets;
  readonly command: SupervisedCommand;
  readonly world: World;
}

/** Takes events until the end of the watch. The command keeps running when the watch fails. */
async function follow(watch: SecretWatch, { newest, command, world }: Followers): Promise<void> {
  const notices = new StreamNotices();
  try {
    for await (const event of watch) {
      const text = notices.about(event);
      if (text !== undefined) notify(world, text);
      if (event.kind === "secret" && event.state === "live" && event.content !== undefined) {
        const { path, version, content } = event;
        newest.set({ path, version, content });
        command.change();
      } else if (event.kind === "secret" || event.kind === "gone") {
        if (newest.drop(event.path)) notify(world, `${event.path} ${lossOf(event)}; the command keeps running`);
      }
    }
  } catch (error) {
    notify(world, `the secrets are no longer watched, and the command keeps running: ${(error as Error).message}`);
  }
}

function lossOf(event: Extract<SecretEvent, { readonly kind: "secret" | "gone" }>): string {
  if (event.kind === "gone") return `was ${event.reason === "vanished" ? "purged or revoked" : event.reason}`;
  if (event.state === "none") return "has no version";
  if (event.state === "live") return `version ${event.version} can't be read`;
  return `version ${event.version} ${event.state === "expired" ? "has" : "was"} ${event.state}`;
}

/**
 * Only versions in use are reported: one that was only received would count as used until the command runs. A report that
 * fails is not the command's concern: the client repeats it after a reconnect.
 */
function reportInUse(watch: SecretWatch, path: string, version: number): void {
  watch.report(path, version, "in-use").catch(() => {});
}
