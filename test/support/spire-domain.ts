import type { MapEntry } from "../../src/contract/map-field.ts";
import type { X509SvidMessage, X509SvidResponse } from "../../src/workload-api/x509-messages.ts";
import { CA_SUBJECT, CertificateForge, type CertificateSpec, type Issuer } from "./certificate-forge.ts";

const HOUR = 3600_000;

/** How long before the time of issue SPIRE sets notBefore, in milliseconds. */
const BACKDATED = 10_000;

/** The properties of one SVID. Those that are absent are as SPIRE issues them. */
export interface SvidOptions extends CertificateSpec {
  readonly hint?: string;
  /** Its lifetime in milliseconds; one hour by default, as with SPIRE. */
  readonly ttl?: number;
}

/**
 * Imitates a SPIRE server: the CAs of one trust domain, their rotation, and the SVIDs that they issue, in the form of
 * the Workload API. The CAs of all domains have the same name, to detect code that identifies CAs by name.
 */
export class SpireDomain {
  readonly name: string;
  readonly #clock: () => number;
  readonly #upstream: Issuer | undefined;
  #published: Issuer[];
  #signer: Issuer;

  /** With `upstream`, SVIDs have an intermediate, and the bundle has the CA above it. */
  constructor(name: string, clock: () => number, shape: "self-signed" | "upstream" = "self-signed") {
    this.name = name;
    this.#clock = clock;
    this.#upstream = shape === "upstream" ? this.#forge().ca(undefined) : undefined;
    this.#signer = this.#newSigner();
    this.#published = [this.#upstream ?? this.#signer];
  }

  /** The bundle: the CA certificates in DER, concatenated. */
  get bundle(): Buffer {
    return Buffer.concat(this.#published.map(({ der }) => der));
  }

  /** The bundle, as federated in another trust domain. */
  get federated(): MapEntry {
    return { key: `spiffe://${this.name}`, value: this.bundle };
  }

  /** Issues an X.509-SVID for the workload at `path` with the CA that currently signs. */
  issue(path: string, { hint = "", ttl = HOUR, ...spec }: SvidOptions = {}): X509SvidMessage {
    const id = `spiffe://${this.name}${path}`;
    const now = this.#clock();
    const forged = this.#signer.issue({ id, notBefore: now - BACKDATED, notAfter: now + ttl, ...spec });
    const x509SvidKey = forged.key.privateKey.export({ type: "pkcs8", format: "der" });
    return { spiffeId: id, x509Svid: Buffer.concat(forged.chain), x509SvidKey, bundle: this.bundle, hint };
  }

  /** Adds a new CA to the bundle. It signs nothing yet. */
  prepare(): void {
    this.#published.push(this.#newSigner());
  }

  /** The newest CA signs from now on. */
  activate(): void {
    this.#signer = this.#published.at(-1)!;
  }

  /** Removes the oldest CA from the bundle. */
  retire(): void {
    this.#published.shift();
  }

  /** Adds to the bundle a CA that expired an hour ago. SPIRE keeps an expired CA in the bundle for a day. */
  publishExpired(): void {
    const now = this.#clock();
    const id = `spiffe://${this.name}`;
    this.#published.unshift(this.#forge().ca(id, { notBefore: now - 3 * HOUR, notAfter: now - HOUR }));
  }

  #forge(): CertificateForge {
    return new CertificateForge(this.#clock());
  }

  #newSigner(): Issuer {
    const id = `spiffe://${this.name}`;
    return this.#upstream?.intermediate({ id, subject: CA_SUBJECT }) ?? this.#forge().ca(id);
  }
}

/** A complete message of the Workload API. */
export function response(
  svids: readonly X509SvidMessage[],
  ...federatedBundles: readonly MapEntry[]
): X509SvidResponse {
  return { svids, federatedBundles };
}
