import type { Certificate } from "../x509/certificate.ts";
import { EXTENDED_KEY_USAGE, KEY_USAGE } from "../x509/extensions.ts";
import { allowsNames } from "./allowed-names.ts";
import { SpiffeId } from "./spiffe-id.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";
import { type RefusalReason, SvidRefused } from "./svid-refused.ts";

/** What the certificate is shown for: "client" by whoever opens a connection, "server" by whoever accepts it. */
export type Purpose = "client" | "server";

/** A rule that a certificate breaks. */
export interface Problem {
  readonly reason: RefusalReason;
  readonly detail: string;
}

/** The one SPIFFE ID of a leaf. Throws {@link SvidRefused}. */
export function identify(leaf: Certificate): SpiffeId {
  const [uri, ...more] = leaf.uris;
  if (uri === undefined) throw new SvidRefused("no-uri", "the leaf has no URI among its names");
  // X509-SVID 5.2: whatever the others are. Filtering for spiffe:// first would let readers disagree about who this is.
  if (more.length > 0) throw new SvidRefused("several-uris", `the leaf has ${leaf.uris.length} URIs`);
  try {
    return SpiffeId.parse(uri);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new SvidRefused("malformed-spiffe-id", `the SPIFFE ID ${error.message}`);
  }
}

/** The first rule for leaves that `leaf`, whose SPIFFE ID is `id`, breaks; time and signature aside. */
export function leafProblem(leaf: Certificate, id: SpiffeId, purpose: Purpose): Problem | undefined {
  if (!id.isWorkload) return problem("no-workload-path", "the SPIFFE ID is that of a trust domain");
  // Read from the extension: node:crypto's `ca` is false for a CA without keyCertSign.
  if (leaf.ca) return problem("leaf-is-ca", "the leaf is a certificate authority");
  const { keyUsage } = leaf;
  if (keyUsage?.has(KEY_USAGE.keyCertSign) || keyUsage?.has(KEY_USAGE.crlSign)) {
    return problem("leaf-may-sign", "the leaf's key usage has keyCertSign or cRLSign");
  }
  if (!keyUsage?.has(KEY_USAGE.digitalSignature)) {
    return problem("leaf-key-usage", "the leaf's key usage lacks digitalSignature");
  }
  return purposeProblem(leaf, purpose);
}

/** X509-SVID 4.4: no extended key usage at all is no restriction. */
function purposeProblem({ extendedKeyUsage }: Certificate, purpose: Purpose): Problem | undefined {
  if (extendedKeyUsage === undefined || extendedKeyUsage.includes(EXTENDED_KEY_USAGE.any)) return undefined;
  if (extendedKeyUsage.includes(EXTENDED_KEY_USAGE[purpose])) return undefined;
  return problem("leaf-extended-key-usage", `the leaf's extended key usage lacks ${purpose}Auth`);
}

/** The first rule that `certificate` breaks at the time `now` wherever on a path it stands. `who` names it in details. */
export function commonProblem(certificate: Certificate, now: number, who: string): Problem | undefined {
  const { notBefore, notAfter, unknownCritical } = certificate;
  if (now < notBefore) return problem("not-yet-valid", `${who} is valid from ${new Date(notBefore).toISOString()} on`);
  if (now > notAfter) return problem("expired", `${who} expired at ${new Date(notAfter).toISOString()}`);
  if (unknownCritical !== undefined) {
    return problem("unknown-critical-extension", `${who} has the critical extension ${unknownCritical}`);
  }
  return keyProblem(certificate, who);
}

/** Whether the key is too weak, too costly or of a kind that we don't know. */
export function keyProblem(certificate: Certificate, who: string): Problem | undefined {
  if (certificate.publicKey !== undefined) return undefined;
  return problem(
    "unacceptable-key",
    `the key of ${who} is not EC P-256, P-384, P-521, Ed25519 or RSA of 2048 to 8192 bits`,
  );
}

/** Whether the certificate is signed in a way that anybody could have forged, or that we don't know. */
export function signatureProblem(certificate: Certificate): Problem | undefined {
  if (certificate.signatureAlgorithm !== undefined) return undefined;
  const detail = `the certificate with serial number ${shortSerial(certificate)} is not signed with SHA-2 or Ed25519`;
  return problem("unacceptable-signature", detail);
}

/**
 * The first rule for issuers that `issuer` breaks, time, names and signature aside. `below` is the path that it would
 * end: the leaf first, the certificate that it signed last.
 */
export function issuerProblem(issuer: Certificate, below: readonly Certificate[]): Problem | undefined {
  if (!issuer.ca || !issuer.keyUsage?.has(KEY_USAGE.keyCertSign)) {
    return problem("issuer-not-ca", `${describe(issuer)} is not a CA with keyCertSign`);
  }
  // RFC 5280 does not count an authority that issued itself a new certificate; we do, as Go does.
  const between = below.length - 1;
  const { pathLength = between } = issuer;
  if (between <= pathLength) return undefined;
  return problem("path-too-long", `${describe(issuer)} allows ${pathLength} authorities below it and has ${between}`);
}

/**
 * Whether somebody on a complete path has a name that an authority above may not sign for. Asked only when an authority
 * of the bundle stands at the end: comparing names costs the product of both lists, which strangers could make long.
 */
export function nameProblem(path: readonly Certificate[]): Problem | undefined {
  for (const [index, authority] of path.entries()) {
    const { nameConstraints } = authority;
    const allowed = path.slice(0, index).every((below) => !nameConstraints || allowsNames(nameConstraints, below));
    if (!allowed) return problem("name-constraint", `${describe(authority)} may not sign for the names below it`);
  }
  return undefined;
}

/** A certificate other than the leaf, as details name it. Its serial number is all we show: its names are free text. */
export function describe(issuer: Certificate): string {
  return `the issuer with serial number ${shortSerial(issuer)}`;
}

/** RFC 5280 4.1.2.2: at most 20 bytes; whoever sends more does not fill our log with it. */
function shortSerial({ serial }: Certificate): string {
  return serial.slice(0, 40);
}

function problem(reason: RefusalReason, detail: string): Problem {
  return { reason, detail };
}
