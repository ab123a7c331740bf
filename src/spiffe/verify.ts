import type { Bundle } from "./bundle.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { commonProblem, identify, leafProblem, type Problem, type Purpose } from "./certificate-rules.ts";
import { MalformedDer } from "../x509/der.ts";
import { MAX_PATH_BYTES, type Path, PathSearch } from "./path-search.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** The proven identity of a peer. */
export interface VerifiedSvid {
  readonly id: SpiffeId;
  /** The earliest notAfter on the path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** The CA in the bundle at which the path ends, in DER. The buffer is the bundle's own. */
  readonly authority: Buffer;
  /** The path below that CA, in DER, leaf first. Parsed certificates would take ten times the memory. */
  readonly chain: readonly Buffer[];
}

/**
 * The identity that a leaf claims. The leaf satisfies every rule for leaves. It is not proven yet that a trusted CA
 * issued it.
 */
export interface Claim {
  readonly leaf: Certificate;
  readonly id: SpiffeId;
  /** The bundle of its trust domain. */
  readonly bundle: Bundle;
}

/** A proven identity, and the parsed intermediates of its path, for callers that store them. */
export interface Proof {
  readonly verified: VerifiedSvid;
  readonly intermediates: readonly Certificate[];
}

/**
 * Verifies that `chain` is an X.509-SVID of a trust domain in `bundles` at the time `now`, in milliseconds since the
 * epoch. `chain` contains certificates in DER, the leaf first, the others in any order; `bundles` is keyed by the bare
 * name of the trust domain. Pure and synchronous. Checks at most 16 signatures. Ignores certificates that the path does
 * not need, even malformed ones. Throws {@link SvidRefused}. Only the TLS handshake proves that the peer has the
 * private key of the leaf.
 */
export function verifySvid(
  chain: readonly Uint8Array[],
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): VerifiedSvid {
  const [leaf, ...rest] = chain;
  return proveBySent(readClaim(leaf, bundles, now, purpose), rest, now).verified;
}

/** Reads a leaf and checks every rule that needs no issuer. Throws {@link SvidRefused}. */
export function readClaim(
  der: Uint8Array | undefined,
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): Claim {
  const leaf = readLeaf(der);
  const id = identify(leaf);
  const problem = leafProblem(leaf, id, purpose) ?? commonProblem(leaf, now, "the leaf");
  if (problem) throw new SvidRefused(problem.reason, problem.detail, id);
  // Only this bundle is used: a CA of any other trust domain could sign a certificate that claims this ID.
  const bundle = bundles.get(id.trustDomain.name);
  if (bundle === undefined) throw new SvidRefused("no-bundle", "there is no bundle for its trust domain", id);
  return { leaf, id, bundle };
}

/** Proves a claim with certificates in DER that the peer sent. Throws {@link SvidRefused}. */
export function proveBySent(claim: Claim, sent: readonly Uint8Array[], now: number): Proof {
  const { certificates, unreadable } = readAll(sent);
  const search = new PathSearch(claim.bundle.authorities, certificates, now);
  const path = search.from(claim.leaf);
  if (path !== undefined) return proofOf(claim.id, path);
  const { reason, detail } = search.problem ?? unreadable ?? UNTRUSTED;
  throw new SvidRefused(reason, detail, claim.id);
}

/** Proves a claim with intermediates that were verified before. Undefined if there is no path through them. */
export function proveByKnown(claim: Claim, known: readonly Certificate[], now: number): Proof | undefined {
  const path = new PathSearch(claim.bundle.authorities, known, now).from(claim.leaf);
  return path && proofOf(claim.id, path);
}

/**
 * Verifies a peer again after a change of the bundles. Checks no signature if the CA at the end of its path is still in
 * the bundle, because the path depends on no other CA of the bundle. Does not extend the validity of an expired proof.
 * Throws {@link SvidRefused}.
 */
export function verifyAgain(
  proven: VerifiedSvid,
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): VerifiedSvid {
  const bundle = bundles.get(proven.id.trustDomain.name);
  if (bundle?.authorities.some(({ der }) => der.equals(proven.authority))) return proven;
  return verifySvid(proven.chain, bundles, now, purpose);
}

const UNTRUSTED: Problem = { reason: "untrusted", detail: "no CA in the bundle of its trust domain signed it" };

function proofOf(id: SpiffeId, path: Path): Proof {
  const { authority, below } = path;
  const [, ...intermediates] = below;
  const validUntil = Math.min(authority.notAfter, ...below.map(({ notAfter }) => notAfter));
  return { verified: { id, validUntil, authority: authority.der, chain: below.map(({ der }) => der) }, intermediates };
}

function readLeaf(der: Uint8Array | undefined): Certificate {
  if (der === undefined) throw new SvidRefused("no-certificate", "the peer sent no certificate");
  // Checked before parsing, so that a peer can't cause more work than a real certificate needs.
  if (der.length > MAX_PATH_BYTES) throw new SvidRefused("chain-too-large", `the leaf has ${der.length} bytes`);
  const leaf = readCertificate(der);
  if (leaf instanceof MalformedDer) throw new SvidRefused("malformed-certificate", `the leaf: ${leaf.message}`);
  return leaf;
}

/** The certificates in strict DER, and the problem of the first one that is malformed. */
function readAll(sent: readonly Uint8Array[]) {
  const certificates: Certificate[] = [];
  let unreadable: Problem | undefined;
  for (const [index, der] of sent.entries()) {
    const certificate = readCertificate(der);
    if (!(certificate instanceof MalformedDer)) certificates.push(certificate);
    else unreadable ??= malformed(index + 2, certificate);
  }
  return { certificates, unreadable };
}

function malformed(place: number, { message }: MalformedDer): Problem {
  return { reason: "malformed-certificate", detail: `certificate ${place} of the chain: ${message}` };
}

function readCertificate(der: Uint8Array): Certificate | MalformedDer {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof MalformedDer) return error;
    throw error;
  }
}
