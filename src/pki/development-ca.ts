import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Clock } from "../domain/timers.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import {
  type CertificateDraft,
  distinguishedName,
  keyId,
  randomSerial,
  signCertificate,
} from "./minted-certificate.ts";
import { subjectOf, toPem } from "./der-encoding.ts";
import { caExtensions, workloadExtensions } from "./minted-extensions.ts";

const DAY_MS = 86_400_000;

/**
 * The lifetime of a development CA: one year. A new CA invalidates every SVID of the old one, and every copy of
 * bundle.pem.
 */
const CA_LIFETIME_MS = 365 * DAY_MS;

/**
 * The lifetime of a development SVID: 30 days, instead of one hour as in SPIRE. Nothing renews these SVIDs while a
 * program runs, and a development server may run for days.
 */
const SVID_LIFETIME_MS = 30 * DAY_MS;

/** Validity begins this many milliseconds before now, as with SPIRE, because a peer's clock may be behind. */
export const BACKDATE_MS = 10_000;

/** A certificate with its private key. */
export interface Credential {
  /** DER. */
  readonly certificate: Buffer;
  readonly certPem: string;
  /** PKCS#8 in PEM. A secret: never log it. */
  readonly keyPem: string;
  /** When the certificate expires, in milliseconds since the epoch. */
  readonly notAfter: number;
}

/**
 * The validity of a certificate, in milliseconds since the epoch. The default begins 10 seconds before now, and ends
 * one lifetime of a development CA or SVID after now.
 */
export interface Validity {
  readonly notBefore?: number | undefined;
  readonly notAfter?: number | undefined;
}

/** The content of an SVID. Nothing is checked, so that a test can request an invalid SVID. */
export interface SvidRequest extends Validity {
  /** The SPIFFE ID. */
  readonly id: string;
  readonly dns?: readonly string[] | undefined;
  /** IPv4 addresses. */
  readonly ip?: readonly string[] | undefined;
}

/**
 * A CA that issues X.509-SVIDs for development and tests, with the same fields as SPIRE's. See
 * {@link createDevelopmentCa}.
 */
export class DevelopmentCa {
  readonly credential: Credential;
  readonly #key: KeyObject;
  readonly #clock: Clock;

  /** Restores a CA from a credential of {@link createDevelopmentCa}. */
  constructor(credential: Credential, clock: Clock) {
    this.credential = credential;
    this.#key = createPrivateKey(credential.keyPem);
    this.#clock = clock;
  }

  /** The bundle of the trust domain, in PEM: the certificate of this CA. */
  get bundlePem(): string {
    return this.credential.certPem;
  }

  /** Issues an SVID for a new P-256 key. */
  issue(request: SvidRequest): Credential {
    const { publicKey, privateKey } = newKey();
    const names = { uris: [request.id], dns: request.dns, ip: request.ip };
    const draft = {
      serial: randomSerial(),
      issuer: subjectOf(this.credential.certificate),
      subject: distinguishedName({ country: "US", organization: "SPIRE" }),
      publicKey,
      extensions: workloadExtensions(names, keyId(publicKey), keyId(createPublicKey(this.#key))),
      ...validity(request, this.#clock(), SVID_LIFETIME_MS),
    };
    return signed(draft, this.#key, privateKey);
  }
}

/** Creates a self-signed EC P-256 CA for `trustDomain`. Writes no files. */
export function createDevelopmentCa(trustDomain: TrustDomain, clock: Clock, wish: Validity = {}): DevelopmentCa {
  const { publicKey, privateKey } = newKey();
  const serial = randomSerial();
  // The name of the CA contains its serial number, as with SPIRE. Otherwise all CAs would have the same name, and a
  // verifier that looks up an issuer by name could pick the wrong one.
  const serialNumber = BigInt(`0x${serial.toString("hex")}`).toString();
  const self = distinguishedName({ country: "US", organization: "SPIFFE", serialNumber });
  const draft = {
    serial,
    issuer: self,
    subject: self,
    publicKey,
    extensions: caExtensions({ uris: [`spiffe://${trustDomain.name}`] }, keyId(publicKey)),
    ...validity(wish, clock(), CA_LIFETIME_MS),
  };
  return new DevelopmentCa(signed(draft, privateKey, privateKey), clock);
}

function newKey(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function validity({ notBefore, notAfter }: Validity, now: number, lifetime: number) {
  return {
    notBefore: wholeSeconds(notBefore ?? now - BACKDATE_MS),
    notAfter: wholeSeconds(notAfter ?? now + lifetime),
  };
}

function signed(draft: CertificateDraft, signer: KeyObject, ownKey: KeyObject): Credential {
  const certificate = signCertificate(draft, signer);
  const keyPem = ownKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { certificate, certPem: toPem("CERTIFICATE", certificate), keyPem, notAfter: draft.notAfter };
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
