import type { Reason } from "../contract/reasons.ts";
import { decidedBy } from "../authorization/decision.ts";
import type { CofferError } from "../domain/errors.ts";
import type { Denial } from "../engine/permits.ts";
import type { LimitedLog } from "../observability/limiter.ts";
import type { Logger } from "../observability/logger.ts";
import type { CounterNames, FrontCounters } from "../observability/call-counters.ts";
import { SECRETS_SERVICE } from "../grpc/grpc-server.ts";
import { METHODS } from "../grpc/secrets-service.ts";
import { CONNECTION_REFUSALS, type Refused } from "../admission/connection-refusal.ts";
import type { Connection } from "../admission/connection.ts";
import { codeName } from "../grpc/status.ts";
import type { Handled } from "../grpc/authorized-route.ts";

/** Records connections and calls in the log and in the metrics. */
export interface CallLog {
  readonly refused: (refused: Refused) => void;
  readonly crowdedOut: (connection: Connection) => void;
  readonly interrupted: (connections: number) => void;
  readonly denied: (denial: Denial) => void;
  readonly handled: (handled: Handled) => void;
}

/** The series of the counters of calls and connections. */
export const COUNTER_NAMES: CounterNames = { methods: METHODS.map(fullName), refusals: CONNECTION_REFUSALS };

/** Creates the call log of a front. `limited` gets the lines that a peer can cause as often as it wants. */
export function createCallLog(log: Logger, limited: LimitedLog, counters: FrontCounters): CallLog {
  const refused = ({ reason, connection, remote, detail, claimed }: Refused) => {
    counters.refused(reason);
    // A port scan or a TCP probe causes this, so only the metric counts it.
    if (reason === "handshake-abandoned") return;
    limited.info("connection refused", reason, { connection, remote, detail, spiffe_id: claimed?.toString() });
  };
  return {
    refused,
    crowdedOut({ connection, remote, id: claimed }) {
      const detail = "its SPIFFE ID has the most connections, and --max-connections is reached";
      refused({ reason: "crowded-out", connection, remote, detail, claimed });
    },
    interrupted(count) {
      log.warn("connections interrupted", { count });
    },
    denied({ caller, call, action, target, decision }) {
      const method = fullName(call);
      const { connection, id } = caller;
      const rule = decidedBy(decision);
      const fields = { spiffe_id: id.toString(), method, action, path: target || undefined, rule, connection };
      limited.info("call denied", "ACCESS_DENIED", fields, id);
    },
    handled(handled) {
      const { method, code, seconds, error } = handled;
      counters.handled(method.number, code, seconds);
      if (error !== undefined) {
        counters.failed(error.reason);
        logFailure(limited, handled, error);
      }
      if (log.isDebug) log.debug("call", { ...fieldsOf(handled), seconds, reason: error?.reason });
    },
  };
}

function logFailure(limited: LimitedLog, handled: Handled, error: CofferError): void {
  const { reason, message: detail } = error;
  if (reason === "BUDGET_EXCEEDED") {
    limited.info("call over budget", reason, { ...fieldsOf(handled), detail }, handled.caller.id);
  } else if (isServerFault(error)) {
    limited.error("call failed", reason, { ...fieldsOf(handled), detail, error: causeOf(error) });
  }
}

function fieldsOf({ method, code, caller }: Handled) {
  return { method: method.path, code: codeName(code), connection: caller.connection, spiffe_id: caller.id.toString() };
}

function fullName(call: string): string {
  return `/${SECRETS_SERVICE}/${call}`;
}

/** The reasons that an operator has to act on, whichever caller gets them. */
const SERVER_FAULTS: ReadonlySet<Reason> = new Set(["INTERNAL", "CONTENT_UNREADABLE", "DISK_FULL", "QUEUE_FULL"]);

function isServerFault({ reason }: CofferError): boolean {
  return SERVER_FAULTS.has(reason);
}

/** The stack of an unexpected error; the message of an error of the operating system. */
function causeOf(error: CofferError): string {
  const { cause } = error;
  if (!(cause instanceof Error)) return String(cause ?? "");
  return error.reason === "INTERNAL" ? (cause.stack ?? cause.message) : cause.message;
}
