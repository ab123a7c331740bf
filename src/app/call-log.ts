import type { Reason } from "../contract/reasons.ts";
import { decidedBy } from "../authorization/decision.ts";
import type { CofferError } from "../domain/errors.ts";
import type { Denial } from "../engine/secrets-engine.ts";
import type { LimitedLog } from "../observability/limiter.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import { SECRETS_SERVICE } from "../grpc/grpc-server.ts";
import type { Refused } from "../admission/connection-refusal.ts";
import type { Connection } from "../admission/connection.ts";
import type { Handled } from "../grpc/unary.ts";

/** Records connections and calls in the log and in the metrics. */
export interface CallLog {
  /**
   * Starts the counters of these methods at zero. Otherwise the function increase() of Prometheus would not see the
   * first failure of a method.
   */
  readonly expected: (calls: Iterable<string>) => void;
  readonly refused: (refused: Refused) => void;
  readonly crowdedOut: (connection: Connection) => void;
  readonly denied: (denial: Denial) => void;
  readonly handled: (handled: Handled) => void;
}

/** Creates a call log. Lines that peers can cause at will go to `limited`. */
export function createCallLog(log: Logger, limited: LimitedLog, metrics: Metrics): CallLog {
  const meters = new Map<string, ReturnType<Metrics["call"]>>();
  const meter = (method: string) => {
    const known = meters.get(method) ?? metrics.call(method);
    meters.set(method, known);
    return known;
  };
  const refused = ({ reason, connection, remote, detail, claimed }: Refused) => {
    metrics.connectionRefused(reason);
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
    expected(calls) {
      for (const call of calls) meter(fullName(call));
    },
    denied({ caller, call, target, decision }) {
      const method = fullName(call);
      const { connection, id } = caller;
      const rule = decidedBy(decision);
      const fields = { spiffe_id: id.toString(), method, path: target, rule, connection };
      limited.info("call denied", "ACCESS_DENIED", fields, id);
    },
    handled({ method, code, seconds, caller, error }) {
      meter(method).handled(code, seconds);
      const fields = { method, code, connection: caller.connection, spiffe_id: caller.id.toString() };
      if (error !== undefined) metrics.failed(error.reason);
      if (error?.reason === "BUDGET_EXCEEDED") {
        limited.info("call over budget", error.reason, { ...fields, detail: error.message }, caller.id);
      } else if (error !== undefined && isServerFault(error)) {
        limited.error("call failed", error.reason, { ...fields, detail: error.message, error: causeOf(error) });
      }
      if (log.isDebug) log.debug("call", { ...fields, seconds, reason: error?.reason });
    },
  };
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
