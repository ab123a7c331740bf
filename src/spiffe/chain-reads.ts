import type { Certificate } from "../x509/certificate.ts";
import type { RefusalReason } from "./svid-refused.ts";
import type { Claim } from "./verify.ts";

/** How many chains of one trust domain may be read without a pause after the start. */
export const MAX_READS = 256;

/** How many further reads become available in each minute. */
export const READS_PER_MINUTE = 4;

const MINUTE = 60_000;

/**
 * Limits how often the certificates after the leaf of a chain are read, because Node never frees those that it has
 * returned. Each trust domain has its own limit, so a CA that issues intermediates without end affects only its own
 * trust domain. Within it, after a chain below an issuer was refused, no chain of that issuer is read for a minute.
 * Otherwise one misconfigured intermediate, with hundreds of workloads that reconnect every second, would use up the
 * reads that new intermediates of its trust domain need. The exception is a chain that was refused because it takes too
 * much work: any peer with an SVID can add certificates that cause this. Such a refusal blocks only the SPIFFE ID of
 * that peer for the minute, and not other workloads with the same issuer.
 */
export class ChainReads {
  readonly #domains = new Map<string, Domain>();

  /** Whether the chain of this leaf may be read now. Counts the read if so. */
  take({ id, leaf }: Claim, now: number): boolean {
    const domain = this.#domain(id.trustDomain.name, now);
    if (domain.left < 1 || domain.refused.has(issuerOf(leaf)) || domain.refused.has(String(id))) return false;
    domain.left -= 1;
    return true;
  }

  /** Records that the chain of this leaf did not prove its claim. `reason` is undefined for an unexpected error. */
  refused({ id, leaf }: Claim, reason: RefusalReason | undefined, now: number): void {
    const cause = reason === "too-much-work" ? String(id) : issuerOf(leaf);
    this.#domain(id.trustDomain.name, now).refused.set(cause, now);
  }

  /**
   * Forgets all refusals: after a change of the identity or a bundle, those chains may be accepted. The limits stay.
   */
  forgetRefusals(): void {
    for (const { refused } of this.#domains.values()) refused.clear();
  }

  #domain(name: string, now: number): Domain {
    const domain = this.#domains.get(name) ?? { left: MAX_READS, since: now, refused: new Map() };
    this.#domains.set(name, domain);
    // A clock that is set back adds no reads.
    domain.left = Math.min(MAX_READS, domain.left + (Math.max(0, now - domain.since) / MINUTE) * READS_PER_MINUTE);
    domain.since = now;
    for (const [issuer, time] of domain.refused) if (Math.abs(now - time) >= MINUTE) domain.refused.delete(issuer);
    return domain;
  }
}

interface Domain {
  left: number;
  since: number;
  /** When a chain was last refused, by its issuer or its SPIFFE ID. Each read adds at most one entry, for a minute. */
  readonly refused: Map<string, number>;
}

/** Identifies the issuer of a leaf by the name and the key identifier in the leaf. */
function issuerOf({ issuer, issuerKeyId }: Certificate): string {
  return `${issuer.toString("hex")} ${issuerKeyId?.toString("hex") ?? ""}`;
}
