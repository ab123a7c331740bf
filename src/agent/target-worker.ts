import type { Timers } from "../domain/timers.ts";
import type { Logger } from "../observability/logger.ts";
import { type TargetConfig, secretsOf } from "./agent-config.ts";
import type { AgentMetrics } from "./agent-metrics.ts";
import type { RunReaction } from "./reaction.ts";
import { type Destination, DestinationProblem, type WantedFile } from "./destination.ts";
import { type Goal, type GoalSources, goalOf } from "./goal.ts";
import { RenderingProblem, filesOfAnyContent } from "./rendering.ts";
import { NOT_RECEIVED, type VersionId } from "./secret-states.ts";
import { WakeUp } from "./wake-up.ts";

/** The state of a target. `why` names paths of secrets; it is for the log and for `--once`. */
export type TargetStatus =
  /** Since its start, the agent has neither completed the files nor found them complete, or the first command runs. */
  | { readonly kind: "waiting"; readonly why: string }
  /** Its files have the newest state, and the command for it has succeeded. */
  | { readonly kind: "current" }
  /**
   * Its files are complete and stay as they are, because a secret is gone or the server can't read it. The command for
   * them has succeeded.
   */
  | { readonly kind: "kept"; readonly why: string }
  /** The newest state could not be read from the server. `isComplete` says whether the files have an earlier state. */
  | { readonly kind: "behind"; readonly why: string; readonly isComplete: boolean }
  /** Its files were removed. */
  | { readonly kind: "removed"; readonly why: string }
  /** Its files have the newest state, and there is no process to signal yet. */
  | { readonly kind: "unsignalled"; readonly why: string }
  /** Writing the files, or the command, has failed and is repeated. */
  | { readonly kind: "failing"; readonly why: string };

/** Whether the workload can rely on the files of a target. */
export function isReady(status: TargetStatus): boolean {
  if (status.kind === "behind") return status.isComplete;
  return status.kind === "current" || status.kind === "kept" || status.kind === "unsignalled";
}

/** What a {@link TargetWorker} needs. */
export interface WorkerOptions {
  readonly target: TargetConfig;
  readonly destination: Destination;
  readonly sources: GoalSources;
  /** Runs commands and sends signals; undefined for none, as for `--once`. */
  readonly react: RunReaction | undefined;
  readonly timers: Pick<Timers, "delay">;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  /** Called when the state of the target may have changed. */
  readonly onStatus: () => void;
}

/** The first pause after a failure, in milliseconds. It doubles with each further failure. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Brings one target to its newest state, again and again: at each call of {@link wake}, and with pauses after a failure.
 * It does one thing at a time, so a command never overlaps with another, and a state that changes during a command is
 * handled after it.
 */
export class TargetWorker {
  readonly #options: WorkerOptions;
  readonly #wakeUp = new WakeUp();
  #status: TargetStatus;
  /** The known versions in the files; undefined if this process has neither written complete files nor found them. */
  #written: ReadonlyMap<string, VersionId> | undefined;
  #inUse: ReadonlyMap<string, VersionId> = new Map();
  #failures = 0;
  #stopPause = () => {};

  constructor(options: WorkerOptions) {
    this.#options = options;
    const paths = secretsOf(options.target);
    this.#status = { kind: "waiting", why: paths.map((path) => `${path}: ${NOT_RECEIVED}`).join(", ") };
  }

  get target(): TargetConfig {
    return this.#options.target;
  }

  get status(): TargetStatus {
    return this.#status;
  }

  /** The versions of secrets that the workload uses, by path: those in the files, after the command has succeeded. */
  get versionsInUse(): ReadonlyMap<string, VersionId> {
    return this.#inUse;
  }

  /** Looks again at what is wanted. */
  wake(): void {
    this.#wakeUp.call();
  }

  /** Works until `signal` is aborted. Then it waits for the end of a command that is running. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", this.#wakeUp.call);
    while (!signal.aborted) {
      await this.#wakeUp.next();
      this.#stopPause();
      if (!signal.aborted) await this.#settle();
    }
  }

  async #settle(): Promise<void> {
    const status = await this.#attempt();
    const isDone = status.kind !== "failing" && status.kind !== "unsignalled" && status.kind !== "behind";
    this.#show(status);
    if (isDone) this.#failures = 0;
    else this.#pause();
  }

  async #attempt(): Promise<TargetStatus> {
    try {
      return await this.#reach(await goalOf(this.target, this.#options.sources));
    } catch (error) {
      return { kind: "failing", why: describe(error) };
    }
  }

  async #reach(goal: Goal): Promise<TargetStatus> {
    if (goal.kind === "files" || goal.kind === "nothing") this.#put(goal);
    else if (goal.kind === "unchanged") this.#find();
    if (goal.kind !== "nothing" && this.#written === undefined) return this.#reached(goal);
    // Also if the files stay as they are: the action for them may still be due.
    const missed = await this.#act();
    if (missed !== undefined) return missed;
    this.#inUse = this.#written ?? new Map();
    return this.#reached(goal);
  }

  /** The state after a goal is reached. */
  #reached(goal: Goal): TargetStatus {
    const isComplete = this.#written !== undefined;
    switch (goal.kind) {
      case "files":
        return { kind: "current" };
      case "nothing":
        return { kind: "removed", why: goal.why };
      case "unchanged":
      case "unknown":
        return { kind: isComplete ? "kept" : "waiting", why: goal.why };
      case "unanswered":
        return { kind: "behind", why: goal.why, isComplete };
    }
  }

  /**
   * Finds the files of an earlier process, which stay because a secret is gone. There is nothing to compare their content
   * with: they are complete if all files of the target are there, with their rights, and no other.
   */
  #find(): void {
    if (this.#written !== undefined) return;
    const { destination, target } = this.#options;
    const expected = filesOfAnyContent(target, destination.names());
    if (expected.length === 0 || !destination.holds(expected)) return;
    destination.complete(expected);
    // Their versions are not known, so none is reported.
    this.#written = new Map();
  }

  #put(goal: Extract<Goal, { readonly kind: "files" | "nothing" }>): void {
    const files = goal.kind === "files" ? goal.files : [];
    try {
      this.#write(files);
    } finally {
      for (const { content } of files) content.fill(0);
    }
    this.#written = goal.kind === "files" ? goal.versions : undefined;
  }

  /** Files that are right already are not written again, also after a restart of the agent. */
  #write(files: readonly WantedFile[]): void {
    const { destination, target, metrics, log, react } = this.#options;
    if (destination.holds(files)) {
      destination.complete(files);
      return;
    }
    destination.replace(files, react !== undefined && target.onChange !== undefined);
    metrics.written(target.name);
    log.info(files.length === 0 ? "files removed" : "files written", { target: target.name, file: target.place.path });
  }

  /**
   * Runs the action for the files if it is due. A mark beside the files says so: it is made before the files change and
   * removed when the action has succeeded, so a process that is killed between the two does not miss the action.
   */
  async #act(): Promise<TargetStatus | undefined> {
    const { destination, target, metrics, log, react } = this.#options;
    if (react === undefined || !destination.isMarked()) return undefined;
    if (target.onChange !== undefined) {
      const result = await react(target.onChange);
      metrics.acted(target.name, result.kind);
      if (result.kind === "absent") return { kind: "unsignalled", why: result.why };
      if (result.kind === "failed") return { kind: "failing", why: result.why };
      log.info("change action done", { target: target.name });
    }
    destination.unmark();
    return undefined;
  }

  #show(status: TargetStatus): void {
    const before = this.#status;
    this.#status = status;
    if (status.kind === "failing") this.#options.metrics.failed(this.target.name);
    if (before.kind !== status.kind || whyOf(before) !== whyOf(status)) this.#log(status);
    this.#options.onStatus();
  }

  #log(status: TargetStatus): void {
    const { log, target } = this.#options;
    const fields = { target: target.name, file: target.place.path, detail: whyOf(status) };
    switch (status.kind) {
      case "current":
        log.info("target current", fields);
        break;
      case "waiting":
        log.info("target waits", fields);
        break;
      case "unsignalled":
        log.info("no process to signal", fields);
        break;
      case "behind":
        log.warn("target behind", fields);
        break;
      case "kept":
        log.warn("target kept", fields);
        break;
      case "removed":
        log.warn("target removed", fields);
        break;
      case "failing":
        log.error("target failed", fields);
        break;
    }
  }

  #pause(): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#failures += 1;
    this.#stopPause = this.#options.timers.delay(pauseMs, this.#wakeUp.call);
  }
}

function whyOf(status: TargetStatus): string | undefined {
  return status.kind === "current" ? undefined : status.why;
}

/** The text of an error that an operator can correct. Rethrows every other error, which is a fault of the program. */
function describe(error: unknown): string {
  if (error instanceof RenderingProblem || error instanceof DestinationProblem) return error.message;
  const { syscall, message } = error as NodeJS.ErrnoException;
  // Errors of the file system name the call and the path.
  if (syscall !== undefined) return message;
  throw error;
}
