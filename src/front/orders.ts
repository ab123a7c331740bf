import type { ListenAddress } from "../admission/listener.ts";
import type { IdentityMessage } from "./identity-mirror.ts";

/** An order of the store thread to a front. See FrontControl for those without data. */
export type Order =
  | { readonly kind: "identity"; readonly state: IdentityMessage }
  | { readonly kind: "drain"; readonly graceMs: number }
  | { readonly kind: "open" | "leave" | "refuse calls" | "stop listening" | "settle" | "close" };

/** An order as it crosses the port. The front answers each with a report of the same number. */
export interface NumberedOrder {
  /** Ascending from 1. */
  readonly number: number;
  readonly order: Order;
}

/** What a front reports to the store thread. */
export type Report =
  /** It can serve calls: it has the data key, and its replica is loaded. */
  | { readonly kind: "ready" }
  /** Lines for the log, each with its end. */
  | { readonly kind: "log"; readonly lines: string }
  /** An order was carried out. `addresses` are those of the front's listeners. */
  | { readonly kind: "done"; readonly number: number; readonly addresses: readonly ListenAddress[] }
  /** An order failed for reasons that the operator can correct. */
  | { readonly kind: "refused"; readonly number: number; readonly problems: readonly string[] };
