import { DEFAULT_BUDGET_LIMITS } from "../../src/grpc/budget.ts";
import type { Connection } from "../../src/admission/connection.ts";

/** For the method of a test: every caller may call it, and `handle` gets the caller as its permit. */
export const ANY_CALLER = {
  target: { number: 1, name: "path", of: ({ path }: { readonly path: string }) => path },
  permit: (caller: Connection) => caller,
};

/** For the server of a test that is not about limits. */
export const WIDE_LIMITS = { limits: DEFAULT_BUDGET_LIMITS, maxConnections: 10_000, onCrowdedOut: () => {} };
