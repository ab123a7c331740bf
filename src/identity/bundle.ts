import { type Certificate, parseCertificate } from "./certificate.ts";
import { MalformedDer } from "./der.ts";
import { MaterialError } from "./material-error.ts";
import { PemError, pemBlocks } from "./pem.ts";
import { SpiffeId } from "./spiffe-id.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** The authorities of one trust domain: whoever one of them signed belongs to it (SPIFFE Trust Domain and Bundle 3). */
export class Bundle {
  readonly trustDomain: TrustDomain;
  /** May be empty: then nobody of that trust domain is trusted. May hold expired ones, which vouch for nobody. */
  readonly authorities: readonly Certificate[];

  constructor(trustDomain: TrustDomain, authorities: readonly Certificate[]) {
    this.trustDomain = trustDomain;
    this.authorities = Object.freeze([...authorities]);
    Object.freeze(this);
  }

  /**
   * Reads the CERTIFICATE blocks of a PEM file, each certificate once. An empty file is an empty bundle, as in SPIFFE's
   * other implementations. `where` names the file in errors. Throws {@link MaterialError}.
   */
  static fromPem(trustDomain: TrustDomain, pem: Uint8Array, where: string): Bundle {
    const authorities = new Map<string, Certificate>();
    for (const { certificate, line } of readCertificates(pem, where)) {
      checkOwner(certificate, trustDomain, `${where}, line ${line}`);
      authorities.set(certificate.der.toString("base64"), certificate);
    }
    // A key, or a certificate request, was probably given in the bundle's place.
    if (authorities.size === 0 && pem.length > 0) throw new MaterialError(`${where} contains no CERTIFICATE block`);
    return new Bundle(trustDomain, [...authorities.values()]);
  }
}

/** Certificates of a PEM file with the lines where they begin. Throws {@link MaterialError}; `where` names the file. */
export function readCertificates(pem: Uint8Array, where: string): { certificate: Certificate; line: number }[] {
  try {
    return pemBlocks(pem, "CERTIFICATE").map(({ der, line }) => ({ certificate: readOne(der, where, line), line }));
  } catch (error) {
    if (error instanceof PemError) throw new MaterialError(`${where} ${error.message}`);
    throw error;
  }
}

function readOne(der: Buffer, where: string, line: number): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error;
    throw new MaterialError(`${where}, line ${line}: the certificate is malformed: ${error.message}`);
  }
}

/**
 * An authority may carry the ID of its trust domain (X509-SVID 3.2). When that is another one, the file was given for
 * the wrong domain, or holds the bundles of several, as spiffe-helper writes it with include_federated_domains: then
 * every one of these domains could speak for this one.
 */
function checkOwner(certificate: Certificate, trustDomain: TrustDomain, where: string): void {
  for (const uri of certificate.uris) {
    const owner = trustDomainIn(uri);
    if (owner === undefined || owner.equals(trustDomain)) continue;
    throw new MaterialError(
      `${where}: this authority belongs to the trust domain ${owner}, but the bundle is given for ${trustDomain}; ` +
        "give each trust domain a file of its own",
    );
  }
}

function trustDomainIn(uri: Buffer): TrustDomain | undefined {
  try {
    return SpiffeId.parse(uri).trustDomain;
  } catch {
    return undefined;
  }
}
