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
import { authorityExtensions, workloadExtensions } from "./minted-extensions.ts";

const DAY_MS = 86_400_000;

/**
 * How long a development authority is valid: a year. A new one ends the trust in everything that the old one signed, and
 * whoever copied bundle.pem somewhere has to copy it again.
 */
const AUTHORITY_LIFETIME_MS = 365 * DAY_MS;

/**
 * How long a development SVID is valid: 30 days, where SPIRE's live an hour. Nothing renews these while a program runs,
 * and a server that was started on Monday should still be reachable on Friday.
 */
const SVID_LIFETIME_MS = 30 * DAY_MS;

/** How much earlier than now validity begins, as SPIRE does: a peer's clock may be a little behind. */
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

/** When a certificate is valid, in milliseconds since the epoch. Absent: from a moment ago, for the usual lifetime. */
export interface Validity {
  readonly notBefore?: number | undefined;
  readonly notAfter?: number | undefined;
}

/** What an SVID is asked to say. Nothing is checked: a test that needs an SVID to be refused asks for a wrong one. */
export interface SvidRequest extends Validity {
  /** The SPIFFE ID. */
  readonly id: string;
  readonly dns?: readonly string[] | undefined;
  /** IPv4 addresses. */
  readonly ip?: readonly string[] | undefined;
}

/** Signs X.509-SVIDs for development and tests, shaped like SPIRE's. See {@link createAuthority}. */
export class Authority {
  readonly credential: Credential;
  readonly #key: KeyObject;
  readonly #clock: Clock;

  /** The authority that `credential` is, made earlier by {@link createAuthority}. */
  constructor(credential: Credential, clock: Clock) {
    this.credential = credential;
    this.#key = createPrivateKey(credential.keyPem);
    this.#clock = clock;
  }

  /** The bundle of the trust domain: this authority, in PEM. */
  get bundlePem(): string {
    return this.credential.certPem;
  }

  /** Makes a P-256 key and an SVID for it. */
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

/** Makes an authority of its own for `trustDomain`: EC P-256, self-signed, nothing written anywhere. */
export function createAuthority(trustDomain: TrustDomain, clock: Clock, wish: Validity = {}): Authority {
  const { publicKey, privateKey } = newKey();
  const serial = randomSerial();
  // SPIRE puts its number into an authority's name. Without it all of them would have the same name, and a verifier
  // that looks up an issuer by name could take the wrong one.
  const serialNumber = BigInt(`0x${serial.toString("hex")}`).toString();
  const self = distinguishedName({ country: "US", organization: "SPIFFE", serialNumber });
  const draft = {
    serial,
    issuer: self,
    subject: self,
    publicKey,
    extensions: authorityExtensions({ uris: [`spiffe://${trustDomain.name}`] }, keyId(publicKey)),
    ...validity(wish, clock(), AUTHORITY_LIFETIME_MS),
  };
  return new Authority(signed(draft, privateKey, privateKey), clock);
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
