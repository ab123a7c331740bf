import type { Bundle } from "./bundle.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { commonProblem, identify, leafProblem, type Problem, type Purpose } from "./certificate-rules.ts";
import { MalformedDer } from "../x509/der.ts";
import { MAX_PATH_BYTES, type Path, PathSearch } from "./path-search.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** A peer whose identity is proven. */
export interface VerifiedSvid {
  readonly id: SpiffeId;
  /** Until when the proof holds: the earliest notAfter on the path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** The authority in the bundle that the path ends at, in DER: the bundle's own bytes. */
  readonly authority: Buffer;
  /** The path below that authority, in DER, leaf first: parsed certificates would take ten times the memory. */
  readonly chain: readonly Buffer[];
}

/** What a leaf says, with every rule for leaves kept. That somebody trusted signed it has yet to be proven. */
export interface Claim {
  readonly leaf: Certificate;
  readonly id: SpiffeId;
  /** The bundle of its trust domain. */
  readonly bundle: Bundle;
}

/** A proven identity, and the intermediates of its path, parsed, for callers that keep them. */
export interface Proof {
  readonly verified: VerifiedSvid;
  readonly intermediates: readonly Certificate[];
}

/**
 * Decides whether `chain`, certificates in DER, leaf first, the others in any order, is an X.509-SVID of a trust domain
 * in `bundles` (keyed by the bare name of the trust domain) at the time `now`, in milliseconds since the epoch. Pure and
 * synchronous; at most 16 signatures are checked. Certificates that the path does not need change nothing, malformed ones
 * included. Throws {@link SvidRefused}. That the peer has the leaf's private key is for the TLS handshake to prove.
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
  // Only this one: an authority of any other trust domain could sign a certificate that claims this ID.
  const bundle = bundles.get(id.trustDomain.name);
  if (bundle === undefined) throw new SvidRefused("no-bundle", "there is no bundle for its trust domain", id);
  return { leaf, id, bundle };
}

/** Proves a claim by certificates in DER that came from the peer. Throws {@link SvidRefused}. */
export function proveBySent(claim: Claim, sent: readonly Uint8Array[], now: number): Proof {
  const { certificates, unreadable } = readAll(sent);
  const search = new PathSearch(claim.bundle.authorities, certificates, now);
  const path = search.from(claim.leaf);
  if (path !== undefined) return proofOf(claim.id, path);
  const { reason, detail } = search.problem ?? unreadable ?? UNTRUSTED;
  throw new SvidRefused(reason, detail, claim.id);
}

/** Proves a claim by intermediates that were verified before; undefined if there is no path over them. */
export function proveByKnown(claim: Claim, known: readonly Certificate[], now: number): Proof | undefined {
  const path = new PathSearch(claim.bundle.authorities, known, now).from(claim.leaf);
  return path && proofOf(claim.id, path);
}

/**
 * Decides again about a peer whose identity was proven before, when the bundles have changed. Cheap where the change does
 * not matter: only the authority at the end of a path is taken from a bundle, so a path stands as long as that one is
 * there. A proof that has expired stays expired. Throws {@link SvidRefused}.
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

const UNTRUSTED: Problem = { reason: "untrusted", detail: "no authority in the bundle of its trust domain signed it" };

function proofOf(id: SpiffeId, path: Path): Proof {
  const { authority, below } = path;
  const [, ...intermediates] = below;
  const validUntil = Math.min(authority.notAfter, ...below.map(({ notAfter }) => notAfter));
  return { verified: { id, validUntil, authority: authority.der, chain: below.map(({ der }) => der) }, intermediates };
}

function readLeaf(der: Uint8Array | undefined): Certificate {
  if (der === undefined) throw new SvidRefused("no-certificate", "the peer sent no certificate");
  // Before it is parsed: a peer must not cause more work than honest ones need.
  if (der.length > MAX_PATH_BYTES) throw new SvidRefused("chain-too-large", `the leaf has ${der.length} bytes`);
  const leaf = readCertificate(der);
  if (leaf instanceof MalformedDer) throw new SvidRefused("malformed-certificate", `the leaf: ${leaf.message}`);
  return leaf;
}

/** Those that are certificates in strict DER, and what is wrong with the first that is not one. */
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
