import type { ListenAddress } from "../admission/listener.ts";
import type { Authorizer } from "../authorization/authorizer.ts";
import { StartError } from "../domain/start-refused.ts";
import type { Port } from "../threads/port.ts";
import type { FrontControl } from "./front-control.ts";
import type { IdentityMirror } from "./identity-mirror.ts";
import type { NumberedOrder, Order, Report } from "./orders.ts";
import { authorizerOf } from "./policy-mirror.ts";

/** The parts of a front that orders change. */
export interface OrderTargets {
  readonly front: FrontControl;
  readonly identity: IdentityMirror;
  /** Replaces the authorizer for all later calls. */
  readonly adoptPolicy: (authorizer: Authorizer) => void;
}

/**
 * Carries out the orders of the store thread in the order in which they arrive, and reports the end of each. An order
 * that takes time, such as a drain, does not delay the next ones. An error that the operator can't correct is thrown: it
 * ends the thread, and with it the process.
 */
export function followOrders(port: Port<NumberedOrder, Report>, targets: OrderTargets): void {
  const report = (message: Report) => port.post(message);
  port.onMessage(({ number, order }) => {
    const ended = carryOut(order, targets);
    if (ended === undefined) return report({ kind: "done", number, addresses: [] });
    void ended.then(
      (addresses) => report({ kind: "done", number, addresses: addresses ?? [] }),
      (error: unknown) => report({ kind: "refused", number, problems: correctable(error) }),
    );
  });
}

/** Undefined if the order has taken effect. */
function carryOut(order: Order, targets: OrderTargets): Promise<readonly ListenAddress[] | void> | undefined {
  const { front, identity, adoptPolicy } = targets;
  switch (order.kind) {
    case "identity":
      identity.receive(order.state);
      return undefined;
    case "policy":
      adoptPolicy(authorizerOf(order.policy));
      return undefined;
    case "leave":
      front.leave();
      return undefined;
    case "refuse calls":
      front.refuseCalls();
      return undefined;
    case "open":
      return front.open();
    case "stop listening":
      return front.stopListening();
    case "drain":
      return front.drain(order.graceMs);
    case "settle":
      return front.settled();
    case "close":
      return front.close();
  }
}

function correctable(error: unknown): readonly string[] {
  if (error instanceof StartError) return error.problems;
  throw error;
}
