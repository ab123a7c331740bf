import { ConnectionCounts } from "../admission/connection-counts.ts";
import type { Timers } from "../domain/timers.ts";
import { BudgetMemory } from "../grpc/budget-memory.ts";
import { CallCounters, type FrontCounters } from "../observability/call-counters.ts";
import { reportDelays } from "../observability/delay-samples.ts";
import { limitLines } from "../observability/limiter.ts";
import { createLogger, type Logger } from "../observability/logger.ts";
import { SharedDelays } from "../observability/shared-delays.ts";
import { secureRandom } from "../sealing/random.ts";
import type { XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import { BoundedChanges, MAX_UNANSWERED_CHANGES } from "../store/bounded-changes.ts";
import { SecretReader } from "../store/secret-reader.ts";
import { StoreClock } from "../store/store-clock.ts";
import { type Port, portOf } from "../threads/port.ts";
import { PublicationProgress } from "../threads/publication-progress.ts";
import { RemoteWatchRegistry } from "../threads/remote-watch-registry.ts";
import { Replica } from "../threads/replica.ts";
import { WatchHub } from "../watch/watch-hub.ts";
import { certificateFilter } from "./load-filter.ts";
import { type CallLog, COUNTER_NAMES, createCallLog } from "./call-log.ts";
import { Front, type FrontOptions } from "./front.ts";
import type { FrontSetup } from "./front-setup.ts";
import { IdentityMirror } from "./identity-mirror.ts";
import { ACCEPTING, Adopted, type DescriptorPort, type Intake, Listeners, portTo } from "./intake.ts";
import { followOrders } from "./order-loop.ts";
import type { NumberedOrder, Report } from "./orders.ts";
import { portStream } from "./port-stream.ts";

/** Creates the front of this thread, which follows the orders of the store thread, and reports that it is ready. */
export async function startThreadedFront(setup: FrontSetup, sealer: XChaChaSealer, timers: Timers): Promise<void> {
  const control: Control = portOf(setup.control);
  const observed = observe(setup, control, timers);
  const identity = new IdentityMirror();
  const front = new Front({
    ...storeOf(setup, sealer, timers),
    config: setup.config,
    intake: intakeOf(setup, observed.log),
    filter: await certificateFilter(observed.log),
    identity,
    calls: observed.calls,
    counts: observed.counters,
    budgets: new BudgetMemory(setup.budgets),
    timers,
  });
  const close = async () => {
    await front.close();
    observed.end();
    // A change that a caller requested in this turn is posted to the store thread at its end.
    await new Promise<void>((resolve) => timers.afterTurn(resolve));
    sealer.close();
  };
  followOrders(control, { front, identity, close });
  control.post({ kind: "ready" });
}

type Control = Port<NumberedOrder, Report>;

/** What the operator sees of this front: its log lines, and its numbers in the metrics of the process. */
interface Observed {
  readonly log: Logger;
  readonly calls: CallLog;
  readonly counters: FrontCounters;
  /** Writes the last lines. */
  readonly end: () => void;
}

function observe({ config, counters: memory, delays }: FrontSetup, control: Control, timers: Timers): Observed {
  const log = createLogger(config.logLevel, portStream(control));
  const limited = limitLines(log, timers);
  const counters = new CallCounters(COUNTER_NAMES, memory).of(config.number);
  const stopDelays = reportDelays(new SharedDelays(delays), config.number, timers);
  const end = () => {
    stopDelays();
    limited.summarize();
  };
  return { log, calls: createCallLog(log, limited, counters), counters, end };
}

/** The replica of this front with its authorizer, reader and watchers, and the changes that it sends to the store thread. */
function storeOf(
  { config, feed, registry, progress, unanswered, clock: sharedClock }: FrontSetup,
  sealer: XChaChaSealer,
  timers: Timers,
): Pick<FrontOptions, "authorizer" | "secrets" | "watches" | "watchers" | "changes" | "sealer"> {
  const replica = new Replica({
    port: portOf(feed),
    progress: new PublicationProgress(progress),
    front: config.number,
    timers,
  });
  const { memory, authorizer, changes } = replica;
  const clock = new StoreClock(timers, sharedClock);
  const watchers = new RemoteWatchRegistry(portOf(registry), timers);
  const reads = { memory, sealer, timers, clock };
  const watches = new WatchHub({ ...reads, random: secureRandom, authorizer, registry: watchers });
  replica.onPolicy(() => watches.policyChanged());
  replica.followPromptly(() => watches.count > 0);
  return {
    authorizer,
    secrets: new SecretReader(reads),
    watches,
    watchers,
    changes: new BoundedChanges(changes, MAX_UNANSWERED_CHANGES, unanswered),
    sealer,
  };
}

function intakeOf({ config, descriptors, connections }: FrontSetup, log: Logger): Intake {
  const counts = new ConnectionCounts(connections);
  const ports = new Map(Array.from(descriptors, ([front, port]): [number, DescriptorPort] => [front, portOf(port)]));
  const { number, listen, mostPlaced: most } = config;
  if (number === ACCEPTING) return new Listeners(listen, { counts, ports, most }, log);
  return new Adopted(portTo(ports, ACCEPTING), counts, number);
}
