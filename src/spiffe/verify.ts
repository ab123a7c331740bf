import type { Bundle } from "./bundle.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { commonProblem, identify, leafProblem, type Purpose } from "./certificate-rules.ts";
import { MalformedDer } from "../x509/der.ts";
import { PathSearch } from "./path-search.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** The most certificates of a chain; real ones have one to three. */
const MAX_CHAIN_CERTIFICATES = 10;

/** The most bytes of a chain. */
export const MAX_CHAIN_BYTES = 64 * 1024;

/** A peer whose identity is proven. */
export interface VerifiedSvid {
  readonly id: SpiffeId;
  /** Until when the proof holds: the earliest notAfter on the path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** The authority in the bundle that the proof goes back to, in DER: the bundle's own bytes. */
  readonly authority: Buffer;
  /** All that the peer sent, in DER, leaf first: what OpenSSL and we make of it would be ten times as large. */
  readonly sent: readonly Uint8Array[];
}

/**
 * Decides whether `chain`, the certificates in DER as the peer sent them, leaf first, is the X.509-SVID of somebody in
 * one of `bundles` (by the bare name of the trust domain) at the time `now`, in milliseconds since the epoch. Pure and
 * synchronous; at most 16 signatures are checked. Throws {@link SvidRefused}. That the peer holds the leaf's private
 * key is for the TLS handshake to show.
 */
export function verifySvid(
  chain: readonly Uint8Array[],
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): VerifiedSvid {
  checkSize(chain);
  const [leaf, ...intermediates] = chain.map(readLink);
  if (leaf === undefined) throw new SvidRefused("no-certificate", "the peer sent no certificate");
  const id = identify(leaf);
  const problem = leafProblem(leaf, id, purpose) ?? commonProblem(leaf, now, "the leaf");
  if (problem) throw new SvidRefused(problem.reason, problem.detail, id);
  // Only this one: any other trust domain's authority could sign a certificate that claims this ID.
  const bundle = bundles.get(id.trustDomain.name);
  if (bundle === undefined) throw new SvidRefused("no-bundle", "there is no bundle for its trust domain", id);
  const search = new PathSearch(bundle.authorities, intermediates, now);
  const path = search.from(leaf);
  const authority = path?.at(-1);
  if (path === undefined || authority === undefined) {
    throw new SvidRefused(search.problem.reason, search.problem.detail, id);
  }
  return { id, validUntil: endOf(path), authority: authority.der, sent: chain };
}

function endOf(path: readonly Certificate[]): number {
  return Math.min(...path.map(({ notAfter }) => notAfter));
}

/**
 * The same for a peer whose identity was proven before, when trust has changed. Cheap for those whom that does not
 * concern: of a path only the authority at its end was ever taken from a bundle, so it stands as long as that is there.
 * A proof that has ended by its time stays ended. Throws {@link SvidRefused}.
 */
export function verifyAgain(
  proven: VerifiedSvid,
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): VerifiedSvid {
  const bundle = bundles.get(proven.id.trustDomain.name);
  if (bundle?.authorities.some(({ der }) => der.equals(proven.authority))) return proven;
  return verifySvid(proven.sent, bundles, now, purpose);
}

/** Before anything is read: whoever opens a connection should not buy more work with it than honest peers need. */
function checkSize(chain: readonly Uint8Array[]): void {
  if (chain.length > MAX_CHAIN_CERTIFICATES) {
    throw new SvidRefused("chain-too-long", `the peer sent ${chain.length} certificates`);
  }
  const bytes = chain.reduce((sum, { length }) => sum + length, 0);
  if (bytes > MAX_CHAIN_BYTES) throw new SvidRefused("chain-too-large", `the peer's certificates have ${bytes} bytes`);
}

function readLink(der: Uint8Array, index: number): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error;
    throw new SvidRefused("malformed-certificate", `certificate ${index + 1} of the chain: ${error.message}`);
  }
}
