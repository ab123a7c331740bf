import { FILE_DELIVERIES } from "../test/support/file-delivery.ts";
import { type PolicySwapsFindings, swapPolicies } from "../test/support/policy-swaps.ts";
import { Site } from "../test/support/server-process.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { spreadOf } from "./rounds.ts";

/** Calls that start in a second. */
export const CALLS_PER_SECOND = 500;

/** How calls were decided while the policy was replaced. */
export interface Reload {
  /** Keyed by the way in which the file was replaced. */
  readonly findings: ReadonlyMap<string, PolicySwapsFindings>;
  readonly requirements: readonly Requirement[];
}

/** Runs the check of test/integration/policy-swaps.test.ts for longer and at a higher rate. */
export async function measureReload({ policySwaps }: Options): Promise<Reload> {
  const findings = new Map<string, PolicySwapsFindings>();
  const site = new Site();
  try {
    for (const [way, deliver] of Object.entries(FILE_DELIVERIES)) {
      const options = { site, deliver, swaps: policySwaps, callsPerSecond: CALLS_PER_SECOND };
      findings.set(way, await swapPolicies(options));
    }
  } finally {
    await site.remove();
  }
  return { findings, requirements: requirementsOf([...findings.values()]) };
}

function requirementsOf(findings: readonly PolicySwapsFindings[]): Requirement[] {
  const wrong = findings.flatMap(({ wrong }) => wrong).length;
  const failed = findings.flatMap(({ failed }) => [...failed.values()]).reduce((sum, count) => sum + count, 0);
  return [
    atMost("reload: wrong decisions", spreadOf([wrong]), 0),
    atMost("reload: failed calls", spreadOf([failed]), 0),
  ];
}
