import type { Certificate } from "../x509/certificate.ts";
import { EXTENDED_KEY_USAGE, KEY_USAGE } from "../x509/extensions.ts";
import { allowsNames } from "./allowed-names.ts";
import { SpiffeId } from "./spiffe-id.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";
import { type RefusalReason, SvidRefused } from "./svid-refused.ts";

/** The side of TLS on which a certificate is presented: "client" opens the connection, "server" accepts it. */
export type Purpose = "client" | "server";

/** A rule that a certificate violates. */
export interface Problem {
  readonly reason: RefusalReason;
  readonly detail: string;
}

/** The one SPIFFE ID of a leaf. Throws {@link SvidRefused}. */
export function identify(leaf: Certificate): SpiffeId {
  const [uri, ...more] = leaf.uris;
  if (uri === undefined) throw new SvidRefused("no-uri", "the leaf has no URI among its names");
  // X509-SVID 5.2: several URIs are refused, whatever their schemes are. If only spiffe:// URIs counted, readers could
  // disagree about the ID.
  if (more.length > 0) throw new SvidRefused("several-uris", `the leaf has ${leaf.uris.length} URIs`);
  try {
    return SpiffeId.parse(uri);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new SvidRefused("malformed-spiffe-id", `the SPIFFE ID ${error.message}`);
  }
}

/** The first rule for leaves that `leaf`, with the SPIFFE ID `id`, violates. Does not check times and signatures. */
export function leafProblem(leaf: Certificate, id: SpiffeId, purpose: Purpose): Problem | undefined {
  if (!id.isWorkload) return problem("no-workload-path", "the SPIFFE ID is that of a trust domain, not of a workload");
  // `leaf.ca` comes from the extension, because the `ca` of node:crypto is false for a CA without keyCertSign.
  if (leaf.ca) return problem("leaf-is-ca", "the leaf is a CA");
  const { keyUsage } = leaf;
  if (keyUsage?.has(KEY_USAGE.keyCertSign) || keyUsage?.has(KEY_USAGE.crlSign)) {
    return problem("leaf-may-sign", "the leaf's key usage has keyCertSign or cRLSign");
  }
  if (!keyUsage?.has(KEY_USAGE.digitalSignature)) {
    return problem("leaf-key-usage", "the leaf's key usage lacks digitalSignature");
  }
  return purposeProblem(leaf, purpose);
}

/** X509-SVID 4.4: a leaf without the extended key usage extension is not restricted. */
function purposeProblem({ extendedKeyUsage }: Certificate, purpose: Purpose): Problem | undefined {
  if (extendedKeyUsage === undefined || extendedKeyUsage.includes(EXTENDED_KEY_USAGE.any)) return undefined;
  if (extendedKeyUsage.includes(EXTENDED_KEY_USAGE[purpose])) return undefined;
  return problem("leaf-extended-key-usage", `the leaf's extended key usage lacks ${purpose}Auth`);
}

/**
 * The first rule for any certificate on a path that `certificate` violates at the time `now`. `who` names the
 * certificate in details.
 */
export function commonProblem(certificate: Certificate, now: number, who: string): Problem | undefined {
  const { notBefore, notAfter, unknownCritical } = certificate;
  if (now < notBefore) return problem("not-yet-valid", `${who} is valid from ${new Date(notBefore).toISOString()} on`);
  if (now > notAfter) return problem("expired", `${who} expired at ${new Date(notAfter).toISOString()}`);
  if (unknownCritical !== undefined) {
    return problem("unknown-critical-extension", `${who} has the critical extension ${unknownCritical}`);
  }
  return keyProblem(certificate, who);
}

/** The problem of a key that is too weak, too costly to use, or of an unknown kind. */
export function keyProblem(certificate: Certificate, who: string): Problem | undefined {
  if (certificate.publicKey !== undefined) return undefined;
  return problem(
    "unacceptable-key",
    `the key of ${who} is not EC P-256, P-384, P-521, Ed25519 or RSA of 2048 to 8192 bits`,
  );
}

/** The problem of a signature whose algorithm is forgeable or unknown. */
export function signatureProblem(certificate: Certificate): Problem | undefined {
  if (certificate.signatureAlgorithm !== undefined) return undefined;
  const detail = `the certificate with serial number ${shortSerial(certificate)} is not signed with SHA-2 or Ed25519`;
  return problem("unacceptable-signature", detail);
}

/**
 * The first rule for issuers that `issuer` violates. Does not check times, names and signatures. `below` is the path
 * below it: its first element is the leaf, and its last element is the certificate that `issuer` signed.
 */
export function issuerProblem(issuer: Certificate, below: readonly Certificate[]): Problem | undefined {
  if (!issuer.ca || !issuer.keyUsage?.has(KEY_USAGE.keyCertSign)) {
    return problem("issuer-not-ca", `${describe(issuer)} is not a CA with keyCertSign`);
  }
  // RFC 5280 does not count self-issued certificates. This count includes them, as Go's does.
  const between = below.length - 1;
  const { pathLength = between } = issuer;
  if (between <= pathLength) return undefined;
  return problem("path-too-long", `${describe(issuer)} allows ${pathLength} CAs below it and has ${between}`);
}

/**
 * The problem of a complete path on which a certificate has a name that a CA above it may not sign for. Call it only
 * for paths that end at a CA of the bundle: the cost is the number of constraints times the number of names, and an
 * unauthenticated peer could make both large.
 */
export function nameProblem(path: readonly Certificate[]): Problem | undefined {
  for (const [index, ca] of path.entries()) {
    const { nameConstraints } = ca;
    const allowed = path.slice(0, index).every((below) => !nameConstraints || allowsNames(nameConstraints, below));
    if (!allowed) return problem("name-constraint", `${describe(ca)} may not sign for the names below it`);
  }
  return undefined;
}

/**
 * Names a certificate other than the leaf in details. Shows only its serial number, because its names are free text.
 */
export function describe(issuer: Certificate): string {
  return `the issuer with serial number ${shortSerial(issuer)}`;
}

/** RFC 5280 4.1.2.2: a serial number has at most 20 bytes. A longer one is truncated, so that it can't fill the log. */
function shortSerial({ serial }: Certificate): string {
  return serial.slice(0, 40);
}

function problem(reason: RefusalReason, detail: string): Problem {
  return { reason, detail };
}
