import type { RefusalReason } from "../../src/spiffe/svid-refused.ts";
import type { CertificateSpec } from "./certificate-forge.ts";
import { type Case, forge, example, trust, workload, workloadKey } from "./chain-world.ts";

/** A chain that must be refused, and the reason. */
export interface HostileCase extends Case {
  readonly reason: RefusalReason;
}

/** A workload of example.org; `spec` is what differs from a valid one. */
export function leaf(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload(spec), key: spec.key ?? workloadKey };
}

/** A workload below an intermediate; `spec` is what differs from a valid intermediate. */
export function below(reason: RefusalReason, what: string, spec: CertificateSpec): HostileCase {
  return { reason, what, chain: workload({}, example.intermediate(spec)) };
}

/** A workload below a CA of the bundle; `spec` is what differs from a valid CA. */
export function under(
  reason: RefusalReason,
  what: string,
  spec: CertificateSpec,
  workloadSpec: CertificateSpec = {},
): HostileCase {
  const ca = forge.ca("spiffe://example.org", spec);
  return { reason, what, chain: workload(workloadSpec, ca), bundles: trust(ca) };
}
