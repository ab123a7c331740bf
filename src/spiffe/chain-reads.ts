import type { Certificate } from "../x509/certificate.ts";
import type { RefusalReason } from "./svid-refused.ts";
import type { Claim } from "./verify.ts";

/** How many chains of one trust domain may be read at once, after a start or a change of its bundle. */
export const MAX_READS = 256;

/** How many of these become available again in a minute. */
export const READS_PER_MINUTE = 4;

const MINUTE = 60_000;

/**
 * Limits how often chains are read: Node never frees the certificates that it has shown of one. Each trust domain has its
 * own limit, so that an authority that makes intermediates without end affects only its own. Within it, an issuer behind
 * which a chain was refused is not read again for a minute: one misconfigured intermediate, below which hundreds of
 * workloads reconnect every second, must not keep the new ones of its trust domain out. A chain that took too much work was
 * refused for certificates that the peer itself has added, which anyone with an SVID can do. It keeps only the SPIFFE ID of
 * that peer out for the minute, and not the other workloads below its issuer.
 */
export class ChainReads {
  readonly #domains = new Map<string, Domain>();

  /** Whether the chain behind this leaf may be read now; counts it if so. */
  take({ id, leaf }: Claim, now: number): boolean {
    const domain = this.#domain(id.trustDomain.name, now);
    if (domain.left < 1 || domain.refused.has(issuerOf(leaf)) || domain.refused.has(String(id))) return false;
    domain.left -= 1;
    return true;
  }

  /** The chain behind this leaf was read and did not prove its claim; `reason` is undefined for an unexpected error. */
  refused({ id, leaf }: Claim, reason: RefusalReason | undefined, now: number): void {
    const cause = reason === "too-much-work" ? String(id) : issuerOf(leaf);
    this.#domain(id.trustDomain.name, now).refused.set(cause, now);
  }

  /** The bundles have changed, and what was refused by the old ones may be accepted. The limits stay. */
  forgetRefusals(): void {
    for (const { refused } of this.#domains.values()) refused.clear();
  }

  #domain(name: string, now: number): Domain {
    const domain = this.#domains.get(name) ?? { left: MAX_READS, since: now, refused: new Map() };
    this.#domains.set(name, domain);
    // A clock that was set back gives nothing back.
    domain.left = Math.min(MAX_READS, domain.left + (Math.max(0, now - domain.since) / MINUTE) * READS_PER_MINUTE);
    domain.since = now;
    for (const [issuer, time] of domain.refused) if (Math.abs(now - time) >= MINUTE) domain.refused.delete(issuer);
    return domain;
  }
}

interface Domain {
  left: number;
  since: number;
  /**
   * When a chain was refused because of each issuer or SPIFFE ID, for a minute; as many at most as chains may be read in
   * that time.
   */
  readonly refused: Map<string, number>;
}

/** An issuer as its leaves tell it: by name and key identifier. */
function issuerOf({ issuer, issuerKeyId }: Certificate): string {
  return `${issuer.toString("hex")} ${issuerKeyId?.toString("hex") ?? ""}`;
}
