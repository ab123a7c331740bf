import { DEFAULT_BUDGET_LIMITS } from "../../src/grpc/budget.ts";
import type { Connection } from "../../src/admission/connection.ts";

/** For the methods of a test server: allows every caller, and passes the caller to `handle` as its permit. */
export const ANY_CALLER = {
  target: { number: 1, name: "path", of: ({ path }: { readonly path: string }) => path },
  permit: (caller: Connection) => caller,
};

/** Limits that no test reaches, for the server of a test that is not about limits. */
export const WIDE_LIMITS = {
  limits: DEFAULT_BUDGET_LIMITS,
  maxConnections: 10_000,
  onCrowdedOut: () => {},
  onInterrupted: () => {},
};
