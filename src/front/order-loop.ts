import type { ListenAddress } from "../admission/listener.ts";
import { StartError } from "../domain/start-refused.ts";
import type { Port } from "../threads/port.ts";
import type { FrontControl } from "./front-control.ts";
import type { IdentityMirror } from "./identity-mirror.ts";
import type { NumberedOrder, Order, Report } from "./orders.ts";

/** The parts of a front that orders change. */
export interface OrderTargets {
  readonly front: Omit<FrontControl, "close">;
  readonly identity: IdentityMirror;
  /** Ends the front and what belongs to it. */
  readonly close: () => Promise<void>;
}

/**
 * Carries out the orders of the store thread in the order in which they arrive, and reports the end of each. An order
 * that takes time, such as a drain, does not delay the next ones. An error that the operator can't correct is thrown: it
 * ends the thread, and with it the process.
 */
export function followOrders(port: Port<NumberedOrder, Report>, targets: OrderTargets): void {
  const report = (message: Report) => port.post(message);
  port.onMessage(({ number, order }) => {
    void carryOut(order, targets).then(
      (addresses) => report({ kind: "done", number, addresses }),
      (error: unknown) => report({ kind: "refused", number, problems: correctable(error) }),
    );
  });
}

/** An order that takes no time has taken effect when this returns. Resolves to the addresses of new listeners. */
async function carryOut(order: Order, targets: OrderTargets): Promise<readonly ListenAddress[]> {
  const { front, identity, close } = targets;
  switch (order.kind) {
    case "identity":
      identity.receive(order.state);
      break;
    case "leave":
      front.leave();
      break;
    case "refuse calls":
      front.refuseCalls();
      break;
    case "open":
      return front.open();
    case "stop listening":
      await front.stopListening();
      break;
    case "drain":
      await front.drain(order.graceMs);
      break;
    case "settle":
      await front.settled();
      break;
    case "close":
      await close();
  }
  return [];
}

function correctable(error: unknown): readonly string[] {
  if (error instanceof StartError) return error.problems;
  throw error;
}
