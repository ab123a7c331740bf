import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { pemText } from "../../src/x509/pem.ts";
import {
  bitString,
  boolean,
  element,
  flags,
  integer,
  nameAttribute,
  octetString,
  oid,
  sequence,
  time,
} from "./der-writer.ts";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export type KeyType = "P-256" | "P-384" | "P-521" | "secp256k1" | "ed25519" | "ed448" | `rsa-${number}`;
export type Digest = "sha256" | "sha384" | "sha512" | "sha224" | "sha1" | "md5";

/**
 * The content of a certificate. The defaults make a valid certificate of the requested kind, in the form of SPIRE's;
 * null omits an extension. Times are milliseconds since the epoch.
 */
export interface CertificateSpec {
  /** The SPIFFE ID, or another URI. */
  readonly id?: string;
  /** All URIs, instead of `id`. */
  readonly uris?: readonly (string | Buffer)[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  /** Additional names, each a complete GeneralName. */
  readonly names?: readonly Buffer[];
  /** Distinguished names in DER; see {@link commonName}. */
  readonly subject?: Buffer;
  readonly issuer?: Buffer;
  readonly serial?: bigint;
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** The content of basicConstraints; null omits the extension. */
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  /** Numbers of bits: 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
  readonly keyUsage?: readonly number[] | null;
  readonly keyUsageCritical?: boolean;
  /** Object identifiers of purposes, in dotted form. */
  readonly extendedKeyUsage?: readonly string[] | null;
  /** Complete GeneralNames. */
  readonly permitted?: readonly Buffer[];
  readonly excluded?: readonly Buffer[];
  /** Whether it has the extensions subjectKeyIdentifier and authorityKeyIdentifier; true by default. */
  readonly keyIds?: boolean;
  /** Additional extensions, see {@link extension}. */
  readonly extensions?: readonly Buffer[];
  /** The key; by default a new one of `keyType`, or on P-256. */
  readonly key?: KeyPair;
  readonly keyType?: KeyType;
  /** The subjectPublicKeyInfo, instead of the one of the key. */
  readonly publicKeyInfo?: Buffer;
  /** The hash of the issuer's signature; ignored for Ed25519. */
  readonly digest?: Digest;
  /** 3 by default; 1 omits the field and the extensions. */
  readonly version?: 1 | 3;
  /** Changes the tbsCertificate just before it is signed. */
  readonly tamper?: (toBeSigned: Buffer) => Buffer;
  /** The signature algorithm in both fields, instead of the real one. */
  readonly algorithm?: Buffer;
  /** The signature algorithm in the unsigned field only. */
  readonly outerAlgorithm?: Buffer;
}

/** A certificate with its key, in all forms that tests need. */
export interface Forged {
  readonly der: Buffer;
  /** This certificate and the intermediates above it, as a peer sends them. */
  readonly chain: readonly Buffer[];
  /** `chain` in PEM. */
  readonly certPem: string;
  /** PKCS#8, unencrypted. */
  readonly keyPem: string;
  readonly key: KeyPair;
  readonly spec: CertificateSpec;
}

/** An issuer: a CA or, for hostile chains, any other certificate with its key. */
export class Issuer implements Forged {
  readonly der: Buffer;
  readonly chain: readonly Buffer[];
  readonly certPem: string;
  readonly keyPem: string;
  readonly key: KeyPair;
  readonly spec: CertificateSpec;
  /** The certificate in PEM, without its issuers, as in the file of a bundle. */
  readonly bundlePem: string;
  readonly #above: readonly Buffer[];
  readonly #now: number;

  /** `above` is sent after each certificate of this issuer. It is empty for a CA that is in a bundle. */
  constructor(forged: Forged, above: readonly Buffer[], now: number) {
    this.der = forged.der;
    this.chain = forged.chain;
    this.certPem = forged.certPem;
    this.keyPem = forged.keyPem;
    this.key = forged.key;
    this.spec = forged.spec;
    this.bundlePem = pemText("CERTIFICATE", forged.der);
    this.#above = above;
    this.#now = now;
  }

  /** Issues a workload's certificate. Its chain contains the intermediates, without the self-signed CA. */
  issue(spec: CertificateSpec): Forged {
    return this.#sign({ ...LEAF, ...spec });
  }

  /** Issues the certificate of a CA below this one. */
  intermediate(spec: CertificateSpec = {}): Issuer {
    const forged = this.#sign({ ...ISSUER, subject: commonName("intermediate"), ...spec });
    return new Issuer(forged, forged.chain, this.#now);
  }

  #sign(spec: CertificateSpec): Forged {
    return forgeCertificate({ issuer: this.spec.subject ?? WORKLOAD, ...spec }, this.key, this.#above, this.#now);
  }
}

const DAY = 24 * 3600 * 1000;
const HOUR = 3600 * 1000;

/** How far notBefore is in the past, in milliseconds, as with SPIRE: for machines whose clock is behind. */
const BACKDATED = 10_000;

/** The distinguished name of every SPIRE CA: the same in all trust domains. */
export const CA_SUBJECT = sequence(nameAttribute("2.5.4.6", "US"), nameAttribute("2.5.4.10", "SPIFFE"));
const WORKLOAD = sequence(nameAttribute("2.5.4.6", "US"), nameAttribute("2.5.4.10", "SPIRE"));

export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

const LEAF: CertificateSpec = {
  subject: WORKLOAD,
  ca: false,
  keyUsage: [0, 2, 4],
  extendedKeyUsage: [SERVER_AUTH, CLIENT_AUTH],
};
const ISSUER: CertificateSpec = { subject: CA_SUBJECT, ca: true, keyUsage: [5, 6], extendedKeyUsage: null };

/**
 * Creates CAs and certificates that are valid around `now`, milliseconds since the epoch:
 *
 *     const forge = new CertificateForge();
 *     const ca = forge.ca("spiffe://example.org");
 *     const { certPem, keyPem } = ca.issue({ id: "spiffe://example.org/api" });
 */
export class CertificateForge {
  readonly now: number;

  constructor(now: number = Date.now()) {
    // Certificates have a resolution of one second.
    this.now = Math.floor(now / 1000) * 1000;
  }

  /** A self-signed CA with this SPIFFE ID. */
  ca(id: string | undefined, spec: CertificateSpec = {}): Issuer {
    const key = spec.key ?? newKey(spec.keyType ?? "P-256");
    const full = { ...ISSUER, ...(id === undefined ? {} : { id }), ...spec, key };
    const forged = forgeCertificate(
      { issuer: full.subject ?? CA_SUBJECT, notAfter: this.now + DAY, ...full },
      key,
      [],
      this.now,
    );
    return new Issuer(forged, [], this.now);
  }

  /** Makes an issuer of any certificate and its key, such as those of a workload, which must not sign. */
  issuerFrom(forged: Forged): Issuer {
    return new Issuer(forged, forged.chain, this.now);
  }

  /** A self-signed certificate, by default of a workload. */
  selfSigned(spec: CertificateSpec): Forged {
    const key = spec.key ?? newKey(spec.keyType ?? "P-256");
    const full = { ...LEAF, ...spec, key };
    return forgeCertificate({ issuer: full.subject ?? WORKLOAD, ...full }, key, [], this.now);
  }
}

/** The distinguished name CN=`name`. */
export function commonName(name: string): Buffer {
  return sequence(nameAttribute("2.5.4.3", name));
}

/** A URI as a GeneralName. */
export function uriName(uri: string | Buffer): Buffer {
  return element(0x86, Buffer.from(uri));
}

/** A DNS name as a GeneralName. */
export function dnsName(name: string): Buffer {
  return element(0x82, Buffer.from(name));
}

/** An extension; `value` is its content in DER. */
export function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

export function newKey(type: KeyType): KeyPair {
  if (type === "ed25519") return generateKeyPairSync("ed25519");
  if (type === "ed448") return generateKeyPairSync("ed448");
  if (type.startsWith("rsa-")) return generateKeyPairSync("rsa", { modulusLength: Number(type.slice(4)) });
  return generateKeyPairSync("ec", { namedCurve: type });
}

function forgeCertificate(spec: CertificateSpec, signer: KeyPair, above: readonly Buffer[], now: number): Forged {
  const key = spec.key ?? newKey(spec.keyType ?? "P-256");
  const digest = spec.digest ?? "sha256";
  const algorithm = spec.algorithm ?? algorithmOf(signer.privateKey, digest);
  const tbs = toBeSigned(spec, key, signer, algorithm, now);
  const signed = spec.tamper?.(tbs) ?? tbs;
  const edwards = signer.privateKey.asymmetricKeyType?.startsWith("ed") ?? false;
  const signature = sign(edwards ? null : digest, signed, signer.privateKey);
  const der = sequence(signed, spec.outerAlgorithm ?? algorithm, bitString(signature));
  const chain = [der, ...above];
  const certPem = chain.map((link) => pemText("CERTIFICATE", link)).join("");
  const keyPem = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { der, chain, certPem, keyPem, key, spec };
}

function toBeSigned(spec: CertificateSpec, key: KeyPair, signer: KeyPair, algorithm: Buffer, now: number): Buffer {
  const extensions = element(0xa3, sequence(...extensionsOf(spec, key, signer)));
  const old = spec.version === 1;
  return sequence(
    ...(old ? [] : [element(0xa0, integer(2))]),
    integer(spec.serial ?? BigInt(`0x7f${randomBytes(15).toString("hex")}`)),
    algorithm,
    spec.issuer ?? CA_SUBJECT,
    sequence(time(spec.notBefore ?? now - BACKDATED), time(spec.notAfter ?? now + HOUR)),
    spec.subject ?? WORKLOAD,
    spec.publicKeyInfo ?? key.publicKey.export({ type: "spki", format: "der" }),
    ...(old ? [] : [extensions]),
  );
}

function extensionsOf(spec: CertificateSpec, key: KeyPair, signer: KeyPair): Buffer[] {
  const list: Buffer[] = [];
  if (spec.keyUsage) list.push(extension("2.5.29.15", spec.keyUsageCritical ?? true, flags(...spec.keyUsage)));
  if (spec.extendedKeyUsage) list.push(extension("2.5.29.37", false, sequence(...spec.extendedKeyUsage.map(oid))));
  if (typeof spec.ca === "boolean") list.push(extension("2.5.29.19", true, basicConstraints(spec.ca, spec.pathLength)));
  if (spec.keyIds !== false) list.push(...keyIds(key, signer));
  const names = namesOf(spec);
  if (names.length > 0) list.push(extension("2.5.29.17", false, sequence(...names)));
  if (spec.permitted || spec.excluded) list.push(extension("2.5.29.30", true, nameConstraints(spec)));
  return [...list, ...(spec.extensions ?? [])];
}

function namesOf(spec: CertificateSpec): Buffer[] {
  const uris = spec.uris ?? (spec.id === undefined ? [] : [spec.id]);
  const ips = (spec.ips ?? []).map((ip) => element(0x87, ipBytes(ip)));
  return [...uris.map(uriName), ...(spec.dns ?? []).map(dnsName), ...ips, ...(spec.names ?? [])];
}

function ipBytes(ip: string): Buffer {
  if (isIP(ip) !== 4) throw new Error(`only IPv4 addresses are forged, not ${ip}`);
  return Buffer.from(ip.split(".").map(Number));
}

function basicConstraints(ca: boolean, pathLength: number | undefined): Buffer {
  return sequence(...(ca ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)]));
}

function keyIds(key: KeyPair, signer: KeyPair): Buffer[] {
  return [
    extension("2.5.29.14", false, octetString(keyId(key))),
    extension("2.5.29.35", false, sequence(element(0x80, keyId(signer)))),
  ];
}

function keyId({ publicKey }: KeyPair): Buffer {
  return createHash("sha1")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();
}

function nameConstraints({ permitted, excluded }: CertificateSpec): Buffer {
  const subtrees = (tag: number, names: readonly Buffer[] | undefined) =>
    names === undefined ? [] : [element(tag, ...names.map((name) => sequence(name)))];
  return sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
}

const ECDSA: Record<Digest, string> = {
  sha1: "1.2.840.10045.4.1",
  sha224: "1.2.840.10045.4.3.1",
  sha256: "1.2.840.10045.4.3.2",
  sha384: "1.2.840.10045.4.3.3",
  sha512: "1.2.840.10045.4.3.4",
  md5: "1.2.840.10045.4.3",
};
const RSA: Record<Digest, string> = {
  md5: "1.2.840.113549.1.1.4",
  sha1: "1.2.840.113549.1.1.5",
  sha224: "1.2.840.113549.1.1.14",
  sha256: "1.2.840.113549.1.1.11",
  sha384: "1.2.840.113549.1.1.12",
  sha512: "1.2.840.113549.1.1.13",
};

/** The AlgorithmIdentifier of a signature. */
export function algorithmOf(key: KeyObject, digest: Digest): Buffer {
  const type = key.asymmetricKeyType;
  if (type === "ed25519") return sequence(oid("1.3.101.112"));
  if (type === "ed448") return sequence(oid("1.3.101.113"));
  return type === "rsa" ? sequence(oid(RSA[digest]), element(0x05)) : sequence(oid(ECDSA[digest]));
}
