import type { RefusalReason } from "../../src/spiffe/svid-refused.ts";
import type { CertificateSpec } from "./certificate-forge.ts";
import { type Case, forge, example, trust, workload, workloadKey } from "./chain-world.ts";

/** A chain that must be refused, and why. */
export interface HostileCase extends Case {
  readonly reason: RefusalReason;
}

/** A workload of example.org that differs from a good one in `spec`. */
export function leaf(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload(spec), key: spec.key ?? workloadKey };
}

/** A workload below an intermediate that differs from a good one in `spec`. */
export function below(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload({}, example.intermediate(spec)) };
}

/** A workload below an authority of the bundle that differs from a good one in `spec`. */
export function under(
  reason: RefusalReason,
  what: string,
  spec: CertificateSpec,
  workloadSpec: CertificateSpec = {},
): HostileCase {
  const authority = forge.authority("spiffe://example.org", spec);
  return { reason, what, chain: workload(workloadSpec, authority), bundles: trust(authority) };
}
