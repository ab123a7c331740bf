import { createPrivateKey, generateKeyPairSync, getCurves, type KeyObject } from "node:crypto";
import type { Clock } from "../domain/timers.ts";
import { pemText } from "../x509/pem.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { DevelopmentCa, BACKDATE_MS, createDevelopmentCa, type Credential } from "../pki/development-ca.ts";
import { distinguishedName, keyId, randomSerial, signCertificate } from "../pki/minted-certificate.ts";
import { type Asn1, subjectOf } from "../pki/der-encoding.ts";
import { caExtensions } from "../pki/minted-extensions.ts";

/** A public key, and the name of its kind. */
export interface StrangeKey {
  readonly kind: string;
  readonly publicKey: KeyObject;
}

/**
 * One key of every kind that OpenSSL can generate and encode in a certificate. This includes the kinds that crashed
 * Node 24.21 and 26.10: curves without a NIST name, such as secp256k1.
 */
export function strangeKeys(): StrangeKey[] {
  const curves = getCurves().flatMap((namedCurve) =>
    (["named", "explicit"] as const).map((paramEncoding) => ({
      kind: `${namedCurve} (${paramEncoding})`,
      publicKey: generateKeyPairSync("ec", { namedCurve, paramEncoding }).publicKey,
    })),
  );
  const others = [
    { kind: "Ed25519", publicKey: generateKeyPairSync("ed25519").publicKey },
    { kind: "Ed448", publicKey: generateKeyPairSync("ed448").publicKey },
    { kind: "X25519", publicKey: generateKeyPairSync("x25519").publicKey },
    { kind: "X448", publicKey: generateKeyPairSync("x448").publicKey },
    { kind: "RSA-PSS", publicKey: generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey },
  ];
  return [...curves, ...others].filter(isWritable);
}

/** Whether OpenSSL can encode the key. A few curves have no encoding. */
function isWritable({ publicKey }: StrangeKey): boolean {
  try {
    publicKey.export({ type: "spki", format: "der" });
    return true;
  } catch {
    return false;
  }
}

/** The certificates and the key of a peer in PEM, as options of node:tls. */
export interface ProbeChain {
  readonly cert: string;
  readonly key: string;
}

/**
 * Creates valid chains of its own CA, followed by certificates with unusual keys. The subject of each is the issuer of
 * another, so code that follows issuers by name reads all of them, as does code that reads every certificate. The path
 * to the CA needs none of them.
 */
export class ChainForge {
  readonly #trustDomain: TrustDomain;
  readonly #clock: Clock;
  readonly #root: DevelopmentCa;
  readonly #rootKey: KeyObject;
  readonly #rootName: Asn1;

  constructor(trustDomain: TrustDomain, clock: Clock) {
    this.#trustDomain = trustDomain;
    this.#clock = clock;
    this.#root = createDevelopmentCa(trustDomain, clock);
    this.#rootKey = createPrivateKey(this.#root.credential.keyPem);
    this.#rootName = subjectOf(this.#root.credential.certificate);
  }

  /** The bundle of the trust domain, in PEM. */
  get bundlePem(): string {
    return this.#root.bundlePem;
  }

  /** An SVID that the CA itself issues. */
  issue(path: string): Credential {
    return this.#root.issue({ id: this.#id(path) });
  }

  /** A chain with a new leaf and a new intermediate, and one more certificate for each key. */
  chain(keys: readonly StrangeKey[]): ProbeChain {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const root = this.#rootName;
    const names = keys.map((_, place) => distinguishedName({ organization: "probe", serialNumber: `${place}` }));
    const intermediate = this.#certify(publicKey, distinguishedName({ organization: "probe" }), root);
    const strange = keys.map((key, place) =>
      this.#certify(key.publicKey, names[place - 1] ?? root, names[place] ?? root),
    );
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const issuer = { ...this.#root.credential, certificate: intermediate, keyPem };
    const leaf = new DevelopmentCa(issuer, this.#clock).issue({ id: this.#id("/probe") });
    const chain = [leaf.certificate, intermediate, ...strange];
    return { cert: chain.map((der) => pemText("CERTIFICATE", der)).join(""), key: leaf.keyPem };
  }

  /** A CA certificate with any issuer name, signed by the root. */
  #certify(publicKey: KeyObject, subject: Asn1, issuer: Asn1): Buffer {
    const extensions = caExtensions({ uris: [this.#id("")] }, keyId(publicKey));
    const validity = { notBefore: this.#clock() - BACKDATE_MS, notAfter: this.#root.credential.notAfter };
    const draft = { serial: randomSerial(), issuer, subject, publicKey, extensions, ...validity };
    return signCertificate(draft, this.#rootKey);
  }

  #id(path: string): string {
    return `spiffe://${this.#trustDomain.name}${path}`;
  }
}
