import type { Bundle } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
import { ChainReads } from "./chain-reads.ts";
import { KnownIntermediates } from "./known-intermediates.ts";
import { type RefusalReason, SvidRefused } from "./svid-refused.ts";
import { type Claim, proveByKnown, proveBySent, readClaim, type VerifiedSvid } from "./verify.ts";

/** OpenSSL's reason why the peer's chain has no valid path to a CA of any bundle. */
export interface Objection {
  /** The name of OpenSSL's error in node:tls, such as `UNABLE_TO_GET_ISSUER_CERT_LOCALLY`. */
  readonly code: string;
  /** OpenSSL's message for the same error. */
  readonly message: string;
}

/** The certificates that a peer presented in a TLS handshake. */
export interface ShownChain {
  /** Undefined if OpenSSL found a path from the chain to a CA of some bundle, of any trust domain. */
  readonly objection: Objection | undefined;
  /** In DER; undefined if the peer presented no certificate. */
  readonly leaf: Uint8Array | undefined;
  /** Reads the other certificates in DER, as the peer sent them. This is expensive, see sent-chain.ts. */
  readonly readRest: () => readonly Uint8Array[];
}

/**
 * Verifies the peers on one side of TLS: "client" for the callers of a server, "server" for the servers of a client. It
 * refuses a chain that OpenSSL objects to. For any other chain, the rules of this module and the bundle of the leaf's
 * own trust domain decide. It first searches for a path through intermediates that were verified before. Only if there
 * is none does it read the rest of the chain. Earlier connections thus influence how a chain is verified, not whether
 * it is accepted. docs/identity.md describes the two exceptions: the limits of {@link ChainReads}, and intermediates
 * that several trust domains have signed.
 */
export class PeerVerifier {
  readonly #purpose: Purpose;
  readonly #known = new KnownIntermediates();
  readonly #reads = new ChainReads();
  #bundles: ReadonlyMap<string, Bundle> = new Map();

  constructor(purpose: Purpose) {
    this.#purpose = purpose;
  }

  /** Sets the bundles to verify with from now on, keyed by the bare name of the trust domain. */
  follow(bundles: ReadonlyMap<string, Bundle>): void {
    this.#bundles = bundles;
    this.#known.follow(bundles);
    this.#reads.forgetRefusals();
  }

  /** Verifies a peer at the time `now`, in milliseconds since the epoch. Throws {@link SvidRefused}. */
  verify(shown: ShownChain, now: number): VerifiedSvid {
    // Read the leaf even if OpenSSL objects to the chain: for most refusals, it shows the reason and the SPIFFE ID.
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
  "its issuer is not known, and too many chains of its trust domain, its issuer or its SPIFFE ID were read recently";

/**
 * The reasons for OpenSSL's error codes. OpenSSL reports only the last error that it found, so these are hints for
 * operators. All other codes mean that there is no path that it accepts.
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
