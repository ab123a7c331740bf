import type { SpiffeId } from "./spiffe-id.ts";

/**
 * Why an X.509-SVID is refused. A closed set, for logs, metrics and tests. A reason is never renamed. Section numbers
 * refer to X509-SVID.md unless another document is named.
 *
 * About what the peer sent:
 * - no-certificate: the peer sent no certificate.
 * - malformed-certificate: the leaf, or a certificate that the path needs, is not an X.509 certificate in strict DER.
 *
 * About the leaf:
 * - no-uri: it has no URI among its names, so no SPIFFE ID (2).
 * - several-uris: it has more than one URI, of any scheme (2, 5.2).
 * - malformed-spiffe-id: its URI is not a SPIFFE ID (SPIFFE-ID 2).
 * - no-workload-path: its SPIFFE ID is that of a trust domain, not of a workload (5.2).
 * - leaf-is-ca: its basic constraints declare it a CA (5.2).
 * - leaf-may-sign: its key usage has keyCertSign or cRLSign (5.2).
 * - leaf-key-usage: it has no key usage, or one without digitalSignature (4.3).
 * - leaf-extended-key-usage: its extended key usage lacks the purpose that it is presented for (4.4).
 *
 * About its trust domain:
 * - no-bundle: there is no bundle for its trust domain (Workload API 4.6).
 * - untrusted: no CA in that bundle signed it, directly or through the intermediates that the peer sent (5.1).
 *
 * About any certificate on the path from the leaf to a CA (RFC 5280 6.1):
 * - expired, not-yet-valid: outside its validity period.
 * - unacceptable-key: not EC P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits.
 * - unacceptable-signature: made with an algorithm that is not accepted, such as SHA-1.
 * - unknown-critical-extension: it has a critical extension that Coffer does not process (RFC 5280 4.2).
 * - issuer-not-ca: it signed the certificate below it but is not a CA with keyCertSign (4.1, 4.3).
 * - path-too-long: there are more certificates below than its pathLenConstraint allows.
 * - name-constraint: a certificate below it has a name that it may not sign for (4.2).
 * - chain-too-long: there are more certificates below the CA than MAX_PATH_CERTIFICATES.
 * - chain-too-large: there are more bytes below the CA than MAX_PATH_BYTES.
 *
 * About limits of the verifier, and of what a server lets OpenSSL decode:
 * - too-much-work: the search ended after MAX_SIGNATURE_CHECKS without a path; or the certificates have too many names and
 *   name constraints, or a CRL distribution point with a relative name.
 * - chain-not-read: the issuer is not known yet, and a limit of ChainReads did not allow reading the chain.
 */
export type RefusalReason =
  | "no-certificate"
  | "chain-too-long"
  | "chain-too-large"
  | "malformed-certificate"
  | "no-uri"
  | "several-uris"
  | "malformed-spiffe-id"
  | "no-workload-path"
  | "leaf-is-ca"
  | "leaf-may-sign"
  | "leaf-key-usage"
  | "leaf-extended-key-usage"
  | "no-bundle"
  | "untrusted"
  | "expired"
  | "not-yet-valid"
  | "unacceptable-key"
  | "unacceptable-signature"
  | "unknown-critical-extension"
  | "issuer-not-ca"
  | "path-too-long"
  | "name-constraint"
  | "too-much-work"
  | "chain-not-read";

/** A chain was not accepted as an X.509-SVID. For the log only: the peer does not receive the reason. */
export class SvidRefused extends Error {
  /** Always "SvidRefused". */
  override readonly name = "SvidRefused";
  /** The rule that the SVID breaks. */
  readonly reason: RefusalReason;
  /** A description that is safe to log: it contains nothing from the peer that did not parse. */
  readonly detail: string;
  /** The SPIFFE ID that the peer claims. Not proven! Defined only if the leaf has exactly one well-formed SPIFFE ID. */
  readonly claimed: SpiffeId | undefined;

  constructor(reason: RefusalReason, detail: string, claimed?: SpiffeId) {
    super(`the X.509-SVID is refused (${reason}): ${detail}`);
    this.reason = reason;
    this.detail = detail;
    this.claimed = claimed;
  }
}
