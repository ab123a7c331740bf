import { Counter, Gauge, Registry } from "prom-client";
import type { Exposition } from "../observability/metrics.ts";
import type { ReactionResult } from "./reaction.ts";

/** The state of a target for metrics. */
interface TargetReading {
  readonly name: string;
  readonly isReady: boolean;
  readonly isCurrent: boolean;
  readonly isKept: boolean;
}

/** What metrics read when they are scraped. */
export interface AgentReading {
  readonly targets: readonly TargetReading[];
  /** Whether the watch has everything up to now. */
  readonly isConnected: boolean;
  /** When the server last confirmed the state, in milliseconds since the epoch; undefined: never. */
  readonly lastContact: number | undefined;
}

/** The metrics of an agent, which docs/agent.md lists. A label has the name of a target, and never a path or a value. */
export class AgentMetrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly #writes = this.#counter("coffer_agent_writes_total", "Changes of the files of a target.", ["target"]);
  readonly #failures = this.#counter("coffer_agent_failures_total", "Failures to write files or to act.", ["target"]);
  readonly #actions = this.#counter("coffer_agent_actions_total", "Commands and signals, by result.", [
    "target",
    "result",
  ]);

  /** The series of all targets start at zero, so that the first failure is an increase. */
  constructor(targets: readonly string[], build: { readonly version: string; readonly node: string }) {
    const info = "Always 1. The labels have the release and the version of Node.";
    new Gauge({
      name: "coffer_agent_build_info",
      help: info,
      labelNames: ["version", "node"],
      registers: this.#registers,
    }).set({ ...build }, 1);
    for (const target of targets) {
      this.#writes.inc({ target }, 0);
      this.#failures.inc({ target }, 0);
      for (const result of ["done", "absent", "failed"]) this.#actions.inc({ target, result }, 0);
    }
  }

  /** Registers the metrics of the state. Call it once. */
  observe(read: () => AgentReading): void {
    const each = (isSet: (target: TargetReading) => boolean) => () =>
      read().targets.map((target) => [{ target: target.name }, Number(isSet(target))] as const);
    this.#gauge(
      "coffer_agent_target_ready",
      "1: the files of a target are complete.",
      each(({ isReady }) => isReady),
    );
    const current = "1: the files of a target have the newest state, and its action has succeeded.";
    this.#gauge(
      "coffer_agent_target_current",
      current,
      each(({ isCurrent }) => isCurrent),
    );
    const kept = "1: the files of a target stay as they are, because a secret is gone or can't be read.";
    this.#gauge(
      "coffer_agent_target_kept",
      kept,
      each(({ isKept }) => isKept),
    );
    const connected = "1: the server confirms the state; 0: there is no connection.";
    this.#gauge("coffer_agent_connected", connected, () => [[{}, Number(read().isConnected)]]);
    const contact = "When the server last confirmed the state, as Unix time; 0: never.";
    this.#gauge("coffer_agent_last_contact_seconds", contact, () => [[{}, (read().lastContact ?? 0) / 1000]]);
  }

  /** The files of a target have changed. */
  written(target: string): void {
    this.#writes.inc({ target });
  }

  /** An attempt to bring a target to its newest state has failed. */
  failed(target: string): void {
    this.#failures.inc({ target });
  }

  /** A command has ended, or a signal was sent. */
  acted(target: string, result: ReactionResult["kind"]): void {
    this.#actions.inc({ target, result });
  }

  /** Returns all metrics as text. */
  async expose(): Promise<Exposition> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: this.#registers });
  }

  #gauge(name: string, help: string, read: () => readonly (readonly [Record<string, string>, number])[]): void {
    new Gauge({
      name,
      help,
      labelNames: name.includes("_target_") ? ["target"] : [],
      registers: this.#registers,
      collect() {
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }
}
