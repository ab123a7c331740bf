import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, type AgentClient } from "../../src/agent/agent.ts";
import { AgentMetrics } from "../../src/agent/agent-metrics.ts";
import { readAgentConfig } from "../../src/agent/config-file.ts";
import { machineFiles } from "../../src/agent/file-system.ts";
import type { Reaction } from "../../src/agent/agent-config.ts";
import type { ReactionResult } from "../../src/agent/reaction.ts";
import { ClientError } from "../../src/client/client-error.ts";
import type { SecretEvent } from "../../src/client/secret-events.ts";
import { Content } from "../../src/domain/content.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { Lines } from "./log-lines.ts";
import { ManualTimers } from "./manual-timers.ts";
import { until } from "./until.ts";

/** The beginning of the clock, in milliseconds since the epoch. */
export const BEGIN = Date.UTC(2026, 10, 26);

/** The content of a version. */
export type Values = Readonly<Record<string, string>>;

/** A command or a signal that waits for its result. */
interface Running {
  readonly reaction: Reaction;
  readonly end: (result: ReactionResult) => void;
}

/** What the agent has reported, as `PATH VERSION STATE`. */
type Report = string;

/** A folder with the files of an agent. It survives the agent, which can be started several times. */
export class AgentFolder {
  readonly path = mkdtempSync(join(tmpdir(), "coffer-agent-"));

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** The files in a folder below this one, by name, without those whose name begins with two dots. */
  read(name: string): Record<string, string> {
    const folder = join(this.path, name);
    const names = readdirSync(folder).filter((file) => !file.startsWith(".."));
    return Object.fromEntries(names.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
  }
}

/** An agent whose server, clock and commands are those of the test. */
export class ScriptedAgent {
  readonly timers = new ManualTimers(BEGIN);
  readonly lines = new Lines();
  readonly reports: Report[] = [];
  /** The paths of each BatchGet. */
  readonly batches: (readonly string[])[] = [];
  /** Commands that have begun and not ended, the oldest first. */
  readonly running: Running[] = [];
  /** How many commands have begun. */
  begun = 0;
  readonly agent: Agent;
  readonly metrics: AgentMetrics;
  readonly #events: (SecretEvent | Error)[] = [];
  readonly #store = new Map<
    string,
    { readonly version: number; readonly values: Values; readonly createTime: number }
  >();
  readonly #stop = new AbortController();
  readonly #run: Promise<unknown>;
  #arrived: () => void = () => {};
  #isIdle = false;
  #revision = 1;
  /** The error of each BatchGet; undefined if it is answered. */
  batchError: ClientError | undefined;

  /** `text` is the configuration, in which DIR is the folder. `stopped`: the agent is stopped before it begins. */
  constructor(folder: AgentFolder, text: string, mode: "running" | "once" | "stopped" = "running") {
    const config = readAgentConfig("agent.yaml", () => Buffer.from(text.replaceAll("DIR", folder.path)));
    this.metrics = new AgentMetrics(
      config.targets.map(({ name }) => name),
      { version: "0", node: "0" },
    );
    const react = (reaction: Reaction) =>
      new Promise<ReactionResult>((resolve) => {
        this.begun += 1;
        const running: Running = {
          reaction,
          end: (result) => {
            this.running.splice(this.running.indexOf(running), 1);
            resolve(result);
          },
        };
        this.running.push(running);
      });
    this.agent = new Agent({
      config,
      instance: "test",
      client: this.#client(),
      files: machineFiles,
      timers: this.timers,
      log: createLogger("debug", this.lines),
      metrics: this.metrics,
      react: mode === "once" ? undefined : react,
    });
    if (mode === "stopped") this.#stop.abort();
    this.#run = this.agent.run(this.#stop.signal).catch((error: unknown) => error);
  }

  /** A live version is committed, and its event arrives. */
  put(path: string, version: number, values: Values, expireTime?: number): void {
    this.commit({ [path]: [version, values] }, expireTime);
  }

  /** Several secrets change in one Commit. Their events arrive one after the other. */
  commit(secrets: Readonly<Record<string, readonly [version: number, values: Values]>>, expireTime?: number): void {
    const revision = this.#revision++;
    const createTime = this.timers.clock();
    for (const [path, [version, values]] of Object.entries(secrets))
      this.#store.set(path, { version, values, createTime });
    for (const [path, [version, values]] of Object.entries(secrets)) {
      const content = contentOf(values);
      this.emit({ kind: "secret", path, version, state: "live", revision, createTime, expireTime, content });
    }
  }

  /** The newest version is not live any more. */
  end(path: string, version: number, state: "deleted" | "destroyed" | "expired"): void {
    const times = { createTime: this.timers.clock(), expireTime: undefined };
    this.emit({ kind: "secret", path, version, state, revision: this.#revision++, ...times, content: undefined });
  }

  synced(): void {
    this.emit({ kind: "synced", revision: this.#revision, readable: 1, requested: 1 });
  }

  disconnected(message = "no server"): void {
    this.emit({ kind: "disconnected", error: new ClientError("UNAVAILABLE", message), retryInMs: 1000 });
  }

  emit(event: SecretEvent | Error): void {
    this.#events.push(event);
    this.#isIdle = false;
    this.#arrived();
  }

  /** Waits until the agent has taken all events, and nothing happens any more. */
  async settled(): Promise<void> {
    await until("the events are taken", () => this.#isIdle && this.#events.length === 0);
    // A step of a worker takes a few turns of the event loop, unless it waits for a command or a timer of the test.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Stops the agent, and returns the error with which it ended. */
  async stop(): Promise<unknown> {
    this.#stop.abort();
    this.#arrived();
    return this.ended();
  }

  /** The error with which the agent ended by itself. */
  ended(): Promise<unknown> {
    return this.#run;
  }

  /** The state of a target. */
  status(name: string): string {
    return this.agent.statuses.find(([target]) => target === name)![1].kind;
  }

  #client(): AgentClient {
    return {
      watch: () => ({
        report: async (path, version, state) => {
          // A watch sends a report once.
          const last = this.reports.findLast((report) => report.startsWith(`${String(path)} `));
          const report = `${String(path)} ${version} ${state}`;
          if (report !== last) this.reports.push(report);
        },
        [Symbol.asyncIterator]: () => ({ next: () => this.#next() }),
      }),
      batchGet: async (paths) => {
        this.batches.push(paths.map(String));
        if (this.batchError !== undefined) throw this.batchError;
        const entries = paths.map((path) => {
          const { version, values, createTime } = this.#store.get(String(path))!;
          const facts = { revision: 1, createTime, expireTime: undefined, storeRevision: 1 };
          return { kind: "secret" as const, path: String(path), version, content: contentOf(values), ...facts };
        });
        return { entries, storeRevision: 1 };
      },
    };
  }

  async #next(): Promise<IteratorResult<SecretEvent, undefined>> {
    while (this.#events.length === 0 && !this.#stop.signal.aborted) {
      this.#isIdle = true;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    this.#isIdle = false;
    const event = this.#events.shift();
    if (event === undefined) return { done: true, value: undefined };
    if (event instanceof Error) throw event;
    return { done: false, value: event };
  }
}

function contentOf(values: Values): Content {
  const entries = Object.entries(values).map(([key, value]) => ({
    key,
    kind: "text" as const,
    value: Buffer.from(value),
  }));
  return Content.unchecked(entries);
}
