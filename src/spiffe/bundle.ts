import type { Certificate } from "../x509/certificate.ts";
import { certificatesInJwks, isJson } from "./json-web-key-set.ts";
import { MaterialError } from "./material-error.ts";
import { certificatesInDer, certificatesInPem, type LocatedCertificate } from "./own-certificates.ts";
import { SpiffeId } from "./spiffe-id.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** Advice for a file that contains CAs of several trust domains. */
export const FEDERATED_ADVICE =
  "use a separate file for each trust domain (spiffe-helper mixes them when include_federated_domains is true)";

/**
 * The CA certificates of one trust domain, which issue the SVIDs of its workloads (SPIFFE Trust Domain and Bundle 3).
 */
export class Bundle {
  readonly trustDomain: TrustDomain;
  /** If it is empty, no workload of the trust domain is trusted. It can contain expired CAs, which verify no SVID. */
  readonly authorities: readonly Certificate[];

  constructor(trustDomain: TrustDomain, authorities: readonly Certificate[]) {
    this.trustDomain = trustDomain;
    this.authorities = Object.freeze([...authorities]);
    Object.freeze(this);
  }

  /**
   * Reads a file: a SPIFFE bundle in JSON if it begins with `{`, otherwise PEM. `where` names the file in errors.
   * Throws {@link MaterialError}.
   */
  static fromFile(trustDomain: TrustDomain, bytes: Uint8Array, where: string): Bundle {
    return isJson(bytes) ? Bundle.fromJwks(trustDomain, bytes, where) : Bundle.fromPem(trustDomain, bytes, where);
  }

  /**
   * Reads the CERTIFICATE blocks of a PEM file, and ignores repeated certificates. An empty file is an empty bundle, as
   * in other SPIFFE implementations. `where` names the file in errors. Throws {@link MaterialError}.
   */
  static fromPem(trustDomain: TrustDomain, pem: Uint8Array, where: string): Bundle {
    const bundle = Bundle.#of(trustDomain, certificatesInPem(pem, where), FEDERATED_ADVICE);
    // The file is probably a key or a certificate request, given by mistake.
    if (bundle.authorities.length === 0 && pem.length > 0) {
      throw new MaterialError(`${where} contains no CERTIFICATE block`);
    }
    return bundle;
  }

  /**
   * Reads a JWK Set, the form in which trust domains publish their bundles, and ignores repeated certificates. An empty
   * list of keys is an empty bundle (SPIFFE Trust Domain and Bundle 4.1.3). `where` names the file in errors. Throws
   * {@link MaterialError}.
   */
  static fromJwks(trustDomain: TrustDomain, json: Uint8Array, where: string): Bundle {
    return Bundle.#of(trustDomain, certificatesInJwks(json, where), FEDERATED_ADVICE);
  }

  /**
   * Reads concatenated certificates in DER, the form of the Workload API (5.2.1), and ignores repeated certificates.
   * Zero bytes are an empty bundle. `where` names the bytes in errors. Throws {@link MaterialError}.
   */
  static fromDer(trustDomain: TrustDomain, der: Uint8Array, where: string): Bundle {
    return Bundle.#of(trustDomain, certificatesInDer(der, where), "each trust domain has its own bundle");
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
   * When the last of its CAs expires, in milliseconds since the epoch. From then on the bundle verifies no SVID.
   * Undefined if the bundle is empty.
   */
  get notAfter(): number | undefined {
    return this.authorities.length === 0 ? undefined : Math.max(...this.authorities.map(({ notAfter }) => notAfter));
  }

  /** Whether both are of the same trust domain and contain the same CAs, in any order. */
  equals(other: Bundle): boolean {
    const has = ({ der }: Certificate) => other.authorities.some((authority) => authority.der.equals(der));
    const sameSize = this.authorities.length === other.authorities.length;
    return this.trustDomain.equals(other.trustDomain) && sameSize && this.authorities.every(has);
  }
}

/**
 * A CA certificate may contain the SPIFFE ID of its trust domain (X509-SVID 3.2). If it contains the ID of another one,
 * the bundle was given for the wrong trust domain, or contains the CAs of several. Each of those CAs could then issue
 * SVIDs for this trust domain.
 */
function checkOwner(certificate: Certificate, trustDomain: TrustDomain, where: string, advice: string): void {
  for (const uri of certificate.uris) {
    const owner = trustDomainIn(uri);
    if (owner === undefined || owner.equals(trustDomain)) continue;
    throw new MaterialError(
      `${where}: this CA belongs to the trust domain ${owner}, but the bundle is given for ${trustDomain}; ${advice}`,
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
