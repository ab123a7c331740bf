import type { Bundle } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
import { ChainReads } from "./chain-reads.ts";
import { KnownIntermediates } from "./known-intermediates.ts";
import { type RefusalReason, SvidRefused } from "./svid-refused.ts";
import { type Claim, proveByKnown, proveBySent, readClaim, type VerifiedSvid } from "./verify.ts";

/** OpenSSL could not bring the peer's chain to any authority of any bundle. */
export interface Objection {
  /** How node:tls names what OpenSSL found, such as `UNABLE_TO_GET_ISSUER_CERT_LOCALLY`. */
  readonly code: string;
  /** The same in OpenSSL's words. */
  readonly message: string;
}

/** What a peer showed in a TLS handshake. */
export interface ShownChain {
  /** Undefined when OpenSSL brought the chain to an authority of some bundle, of whichever trust domain. */
  readonly objection: Objection | undefined;
  /** In DER; undefined when the peer showed no certificate. */
  readonly leaf: Uint8Array | undefined;
  /** The other certificates in DER, as the peer sent them. Reading them is expensive, see sent-chain.ts. */
  readonly readRest: () => readonly Uint8Array[];
}

/**
 * Verifies peers of one side of TLS: "client" for a server's callers, "server" for a client's servers. A chain that OpenSSL
 * objects to is refused. Any other is decided by our own rules and by the bundle of the leaf's own trust domain: over
 * intermediates that were verified before, and only below an issuer that is not among them by the rest of the chain. What
 * connected before therefore decides how a chain is verified, not whether it is accepted; docs/identity.md names the one
 * exception, intermediates that several trust domains have signed.
 */
export class PeerVerifier {
  readonly #purpose: Purpose;
  readonly #known = new KnownIntermediates();
  readonly #reads = new ChainReads();
  #bundles: ReadonlyMap<string, Bundle> = new Map();

  constructor(purpose: Purpose) {
    this.#purpose = purpose;
  }

  /** From now on these bundles decide, keyed by the bare name of the trust domain. */
  follow(bundles: ReadonlyMap<string, Bundle>): void {
    this.#bundles = bundles;
    this.#known.follow(bundles);
    this.#reads.forgetRefusals();
  }

  /** The identity of a peer at the time `now`, in milliseconds since the epoch. Throws {@link SvidRefused}. */
  verify(shown: ShownChain, now: number): VerifiedSvid {
    // Also of a chain that OpenSSL objects to: the leaf alone shows the reason of most refusals, and whom they concern.
    const claim = readClaim(shown.leaf, this.#bundles, now, this.#purpose);
    if (shown.objection !== undefined) throw refusalBy(shown.objection, claim);
    const { bundle } = claim;
    const { verified, intermediates } =
      proveByKnown(claim, this.#known.of(bundle, now), now) ?? this.#proveByRest(claim, shown, now);
    this.#known.add(bundle, intermediates);
    return verified;
  }

  #proveByRest(claim: Claim, shown: ShownChain, now: number) {
    if (!this.#reads.take(claim, now)) throw new SvidRefused("chain-not-read", NOT_READ, claim.id);
    try {
      return proveBySent(claim, shown.readRest(), now);
    } catch (error) {
      this.#reads.refused(claim, error instanceof SvidRefused ? error.reason : undefined, now);
      throw error;
    }
  }
}

const NOT_READ =
  "its issuer is not known, and too many chains of its trust domain, or one of this issuer or ID, were read a short time ago";

/**
 * What OpenSSL's codes are called here. It reports the last thing it found, so these are hints for operators. All others
 * mean that there is no path that it accepts.
 */
const REASONS: ReadonlyMap<string, RefusalReason> = new Map([
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "not-yet-valid"],
  ["INVALID_CA", "issuer-not-ca"],
  ["PATH_LENGTH_EXCEEDED", "path-too-long"],
]);

function refusalBy({ code, message }: Objection, { id }: Claim): SvidRefused {
  return new SvidRefused(REASONS.get(code) ?? "untrusted", `OpenSSL refuses its chain: ${message}`, id);
}
