import { ConnectionCounts } from "../admission/connection-counts.ts";
import { Authorizer } from "../authorization/authorizer.ts";
import type { Timers } from "../domain/timers.ts";
import { BudgetMemory } from "../grpc/budget-memory.ts";
import { CallCounters } from "../observability/call-counters.ts";
import { reportDelays } from "../observability/delay-samples.ts";
import { limitLines } from "../observability/limiter.ts";
import { createLogger, type Logger } from "../observability/logger.ts";
import { SharedDelays } from "../observability/shared-delays.ts";
import type { XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import { BoundedChanges, MAX_UNANSWERED_CHANGES } from "../store/bounded-changes.ts";
import { SecretReader } from "../store/secret-reader.ts";
import { portOf } from "../threads/port.ts";
import { PublicationProgress } from "../threads/publication-progress.ts";
import { Replica } from "../threads/replica.ts";
import { COUNTER_NAMES, createCallLog } from "./call-log.ts";
import { Front } from "./front.ts";
import type { FrontSetup } from "./front-setup.ts";
import { IdentityMirror } from "./identity-mirror.ts";
import { ACCEPTING, Adopted, type DescriptorPort, type Intake, Listeners, portTo } from "./intake.ts";
import { followOrders } from "./order-loop.ts";
import type { NumberedOrder, Report } from "./orders.ts";
import { portStream } from "./port-stream.ts";

/** Denies every call until the store thread has sent the policy. It does so before the front is opened. */
const NO_POLICY = new Authorizer({ policy: { rules: [] }, admins: [], epoch: 0 });

/** Creates the front of this thread, which follows the orders of the store thread, and reports that it is ready. */
export function startThreadedFront(setup: FrontSetup, sealer: XChaChaSealer, timers: Timers): void {
  const { config } = setup;
  const control = portOf<NumberedOrder, Report>(setup.control);
  const log = createLogger(config.logLevel, portStream(control));
  const limited = limitLines(log, timers);
  const counters = new CallCounters(COUNTER_NAMES, setup.counters).of(config.number);
  const replica = new Replica({
    port: portOf(setup.feed),
    progress: new PublicationProgress(setup.progress),
    front: config.number,
    timers,
  });
  const identity = new IdentityMirror();
  let authorizer = NO_POLICY;
  const front = new Front({
    config,
    intake: intakeOf(setup, log),
    identity,
    authorizer: () => authorizer,
    secrets: new SecretReader({ memory: replica.memory, sealer, timers, catchUp: replica.catchUp }),
    changes: new BoundedChanges(replica.changes, MAX_UNANSWERED_CHANGES, setup.unanswered),
    sealer,
    calls: createCallLog(log, limited, counters),
    counts: counters,
    budgets: new BudgetMemory(setup.budgets),
    timers,
  });
  const stopDelays = reportDelays(new SharedDelays(setup.delays), config.number, timers);
  const close = async () => {
    stopDelays();
    await front.close();
    limited.summarize();
    // A change that a caller requested in this turn is posted to the store thread at its end.
    await new Promise<void>((resolve) => timers.afterTurn(resolve));
    sealer.close();
  };
  const adoptPolicy = (next: Authorizer) => {
    authorizer = next;
  };
  followOrders(control, { front, identity, adoptPolicy, close });
  control.post({ kind: "ready" });
}

function intakeOf({ config, descriptors, connections }: FrontSetup, log: Logger): Intake {
  const counts = new ConnectionCounts(connections);
  const ports = new Map(Array.from(descriptors, ([front, port]): [number, DescriptorPort] => [front, portOf(port)]));
  const { number, listen, mostPlaced: most } = config;
  if (number === ACCEPTING) return new Listeners(listen, { counts, ports, most }, log);
  return new Adopted(portTo(ports, ACCEPTING), counts, number);
}
