import type { Certificate } from "./certificate.ts";
import { MaterialError } from "./material-error.ts";
import { certificatesInDer, certificatesInPem, type LocatedCertificate } from "./own-certificates.ts";
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
    const bundle = Bundle.#of(trustDomain, certificatesInPem(pem, where));
    // A key, or a certificate request, was probably given in the bundle's place.
    if (bundle.authorities.length === 0 && pem.length > 0) {
      throw new MaterialError(`${where} contains no CERTIFICATE block`);
    }
    return bundle;
  }

  /**
   * Reads certificates in DER, one behind the other, each once; no bytes are an empty bundle. This is the form of the
   * Workload API (5.2.1). `where` names the bytes in errors. Throws {@link MaterialError}.
   */
  static fromDer(trustDomain: TrustDomain, der: Uint8Array, where: string): Bundle {
    return Bundle.#of(trustDomain, certificatesInDer(der, where));
  }

  static #of(trustDomain: TrustDomain, found: readonly LocatedCertificate[]): Bundle {
    const authorities = new Map<string, Certificate>();
    for (const { certificate, where } of found) {
      checkOwner(certificate, trustDomain, where);
      authorities.set(certificate.der.toString("base64"), certificate);
    }
    return new Bundle(trustDomain, [...authorities.values()]);
  }

  /** Whether it is of the same trust domain and holds the same authorities, in whatever order. */
  equals(other: Bundle): boolean {
    const has = ({ der }: Certificate) => other.authorities.some((authority) => authority.der.equals(der));
    const sameSize = this.authorities.length === other.authorities.length;
    return this.trustDomain.equals(other.trustDomain) && sameSize && this.authorities.every(has);
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
        "give each trust domain a bundle of its own",
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
