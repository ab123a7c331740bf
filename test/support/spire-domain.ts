import type { MapEntry } from "../../src/contract/map-field.ts";
import type { X509SvidMessage, X509SvidResponse } from "../../src/workload-api/x509-messages.ts";
import { AUTHORITY, CertificateForge, type CertificateSpec, type Issuer } from "./certificate-forge.ts";

const HOUR = 3600_000;

/** SPIRE's dates its certificates back by this much. */
const BACKDATED = 10_000;

/** What one identity is asked to be, beside the shape that SPIRE gives to all. */
export interface SvidWish extends CertificateSpec {
  readonly hint?: string;
  /** How long it is valid, in milliseconds; an hour by default, as SPIRE's. */
  readonly ttl?: number;
}

/**
 * A SPIRE server's part: the authorities of one trust domain, how they change, and the SVIDs that they sign, in the form
 * of the Workload API. All domains give their authorities the same name, to catch whoever goes by names.
 */
export class SpireDomain {
  readonly name: string;
  readonly #clock: () => number;
  readonly #upstream: Issuer | undefined;
  #published: Issuer[];
  #signer: Issuer;

  /** With `upstream` SVIDs come with an intermediate, and the bundle holds the authority above it. */
  constructor(name: string, clock: () => number, shape: "self-signed" | "upstream" = "self-signed") {
    this.name = name;
    this.#clock = clock;
    this.#upstream = shape === "upstream" ? this.#forge().authority(undefined) : undefined;
    this.#signer = this.#newSigner();
    this.#published = [this.#upstream ?? this.#signer];
  }

  /** The bundle: the authorities in DER, one behind the other. */
  get bundle(): Buffer {
    return Buffer.concat(this.#published.map(({ der }) => der));
  }

  /** The bundle as a federation of another trust domain. */
  get federated(): MapEntry {
    return { key: `spiffe://${this.name}`, value: this.bundle };
  }

  /** An X.509-SVID for the workload at `path`, fresh from the authority that signs at the moment. */
  issue(path: string, { hint = "", ttl = HOUR, ...spec }: SvidWish = {}): X509SvidMessage {
    const id = `spiffe://${this.name}${path}`;
    const now = this.#clock();
    const forged = this.#signer.issue({ id, notBefore: now - BACKDATED, notAfter: now + ttl, ...spec });
    const x509SvidKey = forged.key.privateKey.export({ type: "pkcs8", format: "der" });
    return { spiffeId: id, x509Svid: Buffer.concat(forged.chain), x509SvidKey, bundle: this.bundle, hint };
  }

  /** A new authority enters the bundle, and signs nothing yet. */
  prepare(): void {
    this.#published.push(this.#newSigner());
  }

  /** The newest authority signs from now on. */
  activate(): void {
    this.#signer = this.#published.at(-1)!;
  }

  /** The oldest authority leaves the bundle. */
  retire(): void {
    this.#published.shift();
  }

  /** An authority that expired long ago, which SPIRE leaves in the bundle for a day. */
  publishExpired(): void {
    const now = this.#clock();
    const id = `spiffe://${this.name}`;
    this.#published.unshift(this.#forge().authority(id, { notBefore: now - 3 * HOUR, notAfter: now - HOUR }));
  }

  #forge(): CertificateForge {
    return new CertificateForge(this.#clock());
  }

  #newSigner(): Issuer {
    const id = `spiffe://${this.name}`;
    return this.#upstream?.intermediate({ id, subject: AUTHORITY }) ?? this.#forge().authority(id);
  }
}

/** A whole message. */
export function response(
  svids: readonly X509SvidMessage[],
  ...federatedBundles: readonly MapEntry[]
): X509SvidResponse {
  return { svids, federatedBundles };
}
