import type { Certificate } from "../x509/certificate.ts";
import { certificatesInJwks, isJson } from "./json-web-key-set.ts";
import { MaterialError } from "./material-error.ts";
import { certificatesInDer, certificatesInPem, type LocatedCertificate } from "./own-certificates.ts";
import { SpiffeId } from "./spiffe-id.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** What to do about a file that holds authorities of several trust domains. */
export const FEDERATED_ADVICE =
  "give each trust domain a file of its own (spiffe-helper mixes them when include_federated_domains is true)";

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
   * Reads a file: a SPIFFE bundle in JSON if it begins like one, else PEM. `where` names the file in errors. Throws
   * {@link MaterialError}.
   */
  static fromFile(trustDomain: TrustDomain, bytes: Uint8Array, where: string): Bundle {
    return isJson(bytes) ? Bundle.fromJwks(trustDomain, bytes, where) : Bundle.fromPem(trustDomain, bytes, where);
  }

  /**
   * Reads the CERTIFICATE blocks of a PEM file, each certificate once. An empty file is an empty bundle, as in SPIFFE's
   * other implementations. `where` names the file in errors. Throws {@link MaterialError}.
   */
  static fromPem(trustDomain: TrustDomain, pem: Uint8Array, where: string): Bundle {
    const bundle = Bundle.#of(trustDomain, certificatesInPem(pem, where), FEDERATED_ADVICE);
    // A key, or a certificate request, was probably given in the bundle's place.
    if (bundle.authorities.length === 0 && pem.length > 0) {
      throw new MaterialError(`${where} contains no CERTIFICATE block`);
    }
    return bundle;
  }

  /**
   * Reads the JWK Set in which trust domains publish their bundles, each certificate once. An empty list of keys is an
   * empty bundle (SPIFFE Trust Domain and Bundle 4.1.3). `where` names the file in errors. Throws {@link MaterialError}.
   */
  static fromJwks(trustDomain: TrustDomain, json: Uint8Array, where: string): Bundle {
    return Bundle.#of(trustDomain, certificatesInJwks(json, where), FEDERATED_ADVICE);
  }

  /**
   * Reads certificates in DER, one behind the other, each once; no bytes are an empty bundle. This is the form of the
   * Workload API (5.2.1). `where` names the bytes in errors. Throws {@link MaterialError}.
   */
  static fromDer(trustDomain: TrustDomain, der: Uint8Array, where: string): Bundle {
    return Bundle.#of(trustDomain, certificatesInDer(der, where), "each has a bundle of its own");
  }

  static #of(trustDomain: TrustDomain, found: readonly LocatedCertificate[], advice: string): Bundle {
    const authorities = new Map<string, Certificate>();
    for (const { certificate, where } of found) {
      checkOwner(certificate, trustDomain, where, advice);
      authorities.set(certificate.der.toString("base64"), certificate);
    }
    return new Bundle(trustDomain, [...authorities.values()]);
  }

  /**
   * When the last of its authorities expires, in milliseconds since the epoch: from then on it vouches for nobody.
   * Undefined when it is empty.
   */
  get notAfter(): number | undefined {
    return this.authorities.length === 0 ? undefined : Math.max(...this.authorities.map(({ notAfter }) => notAfter));
  }

  /** Whether it is of the same trust domain and holds the same authorities, in whatever order. */
  equals(other: Bundle): boolean {
    const has = ({ der }: Certificate) => other.authorities.some((authority) => authority.der.equals(der));
    const sameSize = this.authorities.length === other.authorities.length;
    return this.trustDomain.equals(other.trustDomain) && sameSize && this.authorities.every(has);
  }
}

/**
 * An authority may carry the ID of its trust domain (X509-SVID 3.2). When that is another one, the bundle was given for
 * the wrong domain, or holds the authorities of several: then every one of these domains could speak for this one.
 */
function checkOwner(certificate: Certificate, trustDomain: TrustDomain, where: string, advice: string): void {
  for (const uri of certificate.uris) {
    const owner = trustDomainIn(uri);
    if (owner === undefined || owner.equals(trustDomain)) continue;
    throw new MaterialError(
      `${where}: this authority belongs to the trust domain ${owner}, but the bundle is given for ${trustDomain}; ${advice}`,
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
