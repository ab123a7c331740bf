import { type CofferError, budgetExceeded } from "../domain/errors.ts";
import type { Lease } from "./budget.ts";
import type { Resource } from "./budget-memory.ts";

/** The delay after which a caller may retry a call that exceeded its budget, in milliseconds. */
const RETRY_MS = 1000;

/** The error of a call that exceeds what its caller may hold of a resource. */
export function overBudget(budget: Pick<Lease, "limitOf">, resource: Resource): CofferError {
  return budgetExceeded(resource, budget.limitOf(resource), RETRY_MS);
}
