import { reactionsOn } from "../agent/reaction.ts";
import { Agent } from "../agent/agent.ts";
import type { AgentConfig } from "../agent/agent-config.ts";
import { AgentMetrics } from "../agent/agent-metrics.ts";
import { machineFiles } from "../agent/file-system.ts";
import { machineProcesses } from "../agent/receivers.ts";
import { placeProblem } from "../agent/suitable-place.ts";
import type { TargetStatus } from "../agent/target-worker.ts";
import { release } from "../app/release.ts";
import { CofferClient } from "../client/coffer-client.ts";
import { formatAddress } from "../domain/address.ts";
import { StartRefused } from "../domain/start-refused.ts";
import { processTimers } from "../domain/timers.ts";
import { type LogSink, createLogger } from "../observability/logger.ts";
import { OpsServer } from "../observability/ops-server.ts";
import { kernelFiles } from "../process/kernel-files.ts";
import { emptyCoreDumps, swapWarning } from "../process/memory-on-disk.ts";
import { stopSignal } from "../process/stop-signal.ts";
import type { World } from "../process/world.ts";
import { openSource } from "../workload-api/open-source.ts";
import type { ConnectionConfig } from "./client-connection.ts";
import { CommandFailed } from "./command-failed.ts";
import { instanceOfThisMachine } from "./watch/instance-option.ts";

/** How the agent runs. */
export type AgentMode =
  | { readonly kind: "running" }
  /** Ends when all targets are complete, or after `waitMs` milliseconds; undefined: without a limit. */
  | { readonly kind: "once"; readonly waitMs: number | undefined };

/** How long to wait, in milliseconds, for the last log lines to be written. */
const LAST_LINES_MS = 1000;

/**
 * Runs the agent until SIGTERM or SIGINT, or once. Rejects with StartRefused when the configuration can't be used here,
 * with CommandFailed when the targets are not complete in time, and with ClientError when the server refuses the watch.
 */
export async function runAgent(
  config: AgentConfig,
  connection: ConnectionConfig,
  mode: AgentMode,
  world: World,
): Promise<void> {
  // Process 1 of a container ignores signals without a listener, so this comes first.
  const stopping = stopSignal(world);
  const found = await Promise.all(config.targets.map((target) => placeProblem(target)));
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new StartRefused(problems);
  const log = createLogger("info", world.stderr);
  protectMemory(world, log);
  const source = await openSource(connection.identity, "client", processTimers);
  const client = new CofferClient({ ...connection, identity: source, timers: processTimers });
  try {
    await work(agentOf(config, client, mode, log), config, mode, { log, stopping });
  } finally {
    await client.close();
    source.close();
    // Bounded, because a stalled reader of the log would otherwise keep the process alive.
    const givenUp = new Promise<void>((resolve) => void processTimers.delay(LAST_LINES_MS, resolve));
    await Promise.race([log.flush(), givenUp]);
  }
}

/** An agent and its metrics. */
interface Assembled {
  readonly agent: Agent;
  readonly metrics: AgentMetrics;
}

function agentOf(config: AgentConfig, client: CofferClient, mode: AgentMode, log: LogSink): Assembled {
  const names = config.targets.map(({ name }) => name);
  const metrics = new AgentMetrics(names, { version: release(), node: process.version });
  const agent = new Agent({
    config,
    instance: config.instance ?? instanceOfThisMachine(),
    client,
    files: machineFiles,
    timers: processTimers,
    log,
    metrics,
    // An init container writes files for a program that does not run yet.
    react: mode.kind === "once" ? undefined : reactionsOn(machineProcesses, processTimers),
  });
  return { agent, metrics };
}

async function work(
  { agent, metrics }: Assembled,
  config: AgentConfig,
  mode: AgentMode,
  { log, stopping }: { readonly log: LogSink; readonly stopping: Promise<string> },
): Promise<void> {
  const stop = new AbortController();
  void stopping.then((signal) => {
    log.info("signal received", { signal });
    stop.abort();
  });
  const ops = mode.kind === "once" ? undefined : await listen(config, { agent, metrics, log });
  log.info("agent started", { release: release(), count: config.targets.length });
  const running = agent.run(stop.signal);
  try {
    if (mode.kind === "once") await untilComplete(agent, running, mode.waitMs);
    else await running;
  } finally {
    stop.abort();
    await Promise.allSettled([running]);
    await ops?.close();
    log.info("agent stopped");
  }
}

/** Serves probes and metrics. Rejects with StartRefused when it can't listen. */
async function listen(
  { listen: address }: AgentConfig,
  { agent, metrics, log }: Assembled & { readonly log: LogSink },
): Promise<OpsServer | undefined> {
  if (address === undefined) return undefined;
  try {
    return await OpsServer.listen(address, {
      readiness: () => agent.readiness(),
      metrics: () => metrics.expose(),
      log,
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const where = formatAddress({ kind: "tcp", ...address });
    throw new StartRefused([`listen: can't listen on ${where} (${code}); use another address`], { cause });
  }
}

async function untilComplete(agent: Agent, running: Promise<void>, waitMs: number | undefined): Promise<void> {
  let cancel = () => {};
  const limit = new Promise<"late">((resolve) => {
    if (waitMs !== undefined) cancel = processTimers.delay(waitMs, () => resolve("late"));
  });
  const outcome = await Promise.race([agent.complete.then(() => "complete"), limit, running.then(() => "stopped")]);
  cancel();
  if (outcome === "complete") return;
  const reason = outcome === "late" ? `after ${waitMs} ms` : "when the agent was stopped";
  const lines = agent.statuses.flatMap(([name, status]) => problemOf(name, status));
  throw new CommandFailed("unavailable", [`not all targets were complete ${reason}`, ...lines].join("\n"));
}

function problemOf(name: string, status: TargetStatus): readonly string[] {
  return status.kind === "current" ? [] : [`the target ${name} is ${status.kind}: ${status.why}`];
}

/** Warns of memory that may be written to a disk. Node would open a debugger on SIGUSR1 without a listener. */
function protectMemory(world: World, log: LogSink): void {
  world.on("SIGUSR1", () => log.info("signal ignored", { signal: "SIGUSR1" }));
  for (const detail of [emptyCoreDumps(kernelFiles), swapWarning(kernelFiles)]) {
    if (detail !== undefined) log.warn("memory may be written to disk", { detail });
  }
}
