import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { createSecureContext } from "node:tls";
import { inspect } from "node:util";
import type { Certificate } from "../x509/certificate.ts";
import {
  identify,
  issuerProblem,
  keyProblem,
  leafProblem,
  type Problem,
  type Purpose,
  signatureProblem,
} from "./certificate-rules.ts";
import { parseDer } from "../x509/der.ts";
import { collect, MaterialError } from "./material-error.ts";
import { certificatesInDer, certificatesInPem, type LocatedCertificate } from "./own-certificates.ts";
import { certificatePem, type PemBlock, PemError, pemBlocks } from "../x509/pem.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** The bytes of a file, or of a field of a message, and its name for errors. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * This process's own X.509-SVID: the certificates that it presents to peers, and their private key. Never prints the
 * key.
 */
export class Svid {
  readonly id: SpiffeId;
  /** The certificates in DER, leaf first, then the intermediates. */
  readonly chain: readonly Buffer[];
  /** The same chain in PEM, as node:tls takes it. */
  readonly certPem: string;
  /** When the leaf becomes valid, in milliseconds since the epoch. */
  readonly notBefore: number;
  /** When the leaf expires, in milliseconds since the epoch. */
  readonly notAfter: number;
  readonly #keyPem: string;

  constructor(id: SpiffeId, [leaf, ...issuers]: readonly [Certificate, ...Certificate[]], keyPem: string) {
    this.id = id;
    this.chain = Object.freeze([leaf, ...issuers].map(({ der }) => der));
    this.certPem = certificatePem(this.chain);
    this.notBefore = leaf.notBefore;
    this.notAfter = leaf.notAfter;
    this.#keyPem = keyPem;
    Object.freeze(this);
  }

  /** The private key in PKCS#8 PEM, as node:tls takes it. A secret. */
  get keyPem(): string {
    return this.#keyPem;
  }

  /** Whether both have the same certificates and the same key. */
  equals(other: Svid): boolean {
    return this.certPem === other.certPem && this.#keyPem === other.#keyPem;
  }

  toString(): string {
    return `[X.509-SVID of ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Reads an X.509-SVID and its key, each in PEM. `cert` contains the leaf first, then the intermediates. `key` contains
 * one unencrypted private key in PKCS#8, SEC 1 or PKCS#1. Both may be in one file. Checks everything except times and
 * the path to a CA. Throws {@link MaterialError} with all problems.
 */
export function parseSvid(cert: NamedBytes, key: NamedBytes, purpose: Purpose): Svid {
  return assemble(cert, key, purpose, { certificates: certificatesInPem, key: keyInPem });
}

/** As {@link parseSvid}, for DER, the form of the Workload API: concatenated certificates, and a PKCS#8 key. */
export function parseSvidDer(cert: NamedBytes, key: NamedBytes, purpose: Purpose): Svid {
  return assemble(cert, key, purpose, {
    certificates: certificatesInDer,
    key: (bytes, where) => decodeKey(bytes, where),
  });
}

/** How certificates and keys are encoded. */
interface Encoding {
  readonly certificates: (bytes: Uint8Array, where: string) => LocatedCertificate[];
  readonly key: (bytes: Uint8Array, where: string) => KeyObject;
}

function assemble(cert: NamedBytes, key: NamedBytes, purpose: Purpose, encoding: Encoding): Svid {
  const problems: string[] = [];
  const found = collect(problems, () => encoding.certificates(cert.bytes, cert.name));
  const id = found && collect(problems, () => checkChain(found, cert.name, purpose));
  const privateKey = collect(problems, () => encoding.key(key.bytes, key.name));
  if (found === undefined || id === undefined || privateKey === undefined) throw new MaterialError(...problems);
  const [leaf, ...issuers] = found.map(({ certificate }) => certificate);
  if (!leaf?.publicKey || !createPublicKey(privateKey).equals(leaf.publicKey.key)) {
    throw new MaterialError(`${key.name}: this is not the key of the leaf certificate in ${cert.name}`);
  }
  const svid = new Svid(id, [leaf, ...issuers], privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  checkPresentable(svid, cert.name);
  return svid;
}

/**
 * OpenSSL has its own rules for the certificates that it presents, which depend on its release and settings. They are
 * checked here, while the previous SVID stays in use, and not when the next TLS context is created.
 */
function checkPresentable({ certPem, keyPem }: Svid, where: string): void {
  try {
    createSecureContext({ cert: certPem, key: keyPem });
  } catch (error) {
    throw new MaterialError(`${where} is refused by OpenSSL: ${(error as NodeJS.ErrnoException).code ?? "no reason"}`);
  }
}

/** Checks the leaf by the rules for leaves and each other certificate by those for issuers. Returns the SPIFFE ID. */
function checkChain(found: readonly LocatedCertificate[], name: string, purpose: Purpose): SpiffeId {
  const [leaf, ...issuers] = found;
  if (leaf === undefined) throw new MaterialError(`${name} contains no certificate`);
  const id = identifyOwn(leaf.certificate, name);
  throwIf(leafProblem(leaf.certificate, id, purpose) ?? keyProblem(leaf.certificate, "the leaf"), leaf.where);
  const certificates = found.map(({ certificate }) => certificate);
  for (const [index, { certificate, where }] of issuers.entries()) {
    const below = certificates.slice(0, index + 1);
    // Every intermediate is checked, even one that no path needs: some releases of OpenSSL refuse to present a weak
    // certificate, others don't.
    throwIf(
      issuerProblem(certificate, below) ?? keyProblem(certificate, "the intermediate") ?? signatureProblem(certificate),
      where,
    );
  }
  return id;
}

function identifyOwn(leaf: Certificate, where: string): SpiffeId {
  try {
    return identify(leaf);
  } catch (error) {
    if (!(error instanceof SvidRefused)) throw error;
    throw new MaterialError(`${where}: ${error.detail}`);
  }
}

function throwIf(problem: Problem | undefined, where: string): void {
  if (problem) throw new MaterialError(`${where}: ${problem.detail}`);
}

/**
 * The PEM labels of private keys, and their encodings: PKCS#8 (RFC 5958, RFC 7468), SEC 1 (RFC 5915), PKCS#1 (RFC
 * 8017).
 */
const KEY_FORMS: ReadonlyMap<string, KeyForm> = new Map([
  ["PRIVATE KEY", "pkcs8"],
  ["EC PRIVATE KEY", "sec1"],
  ["RSA PRIVATE KEY", "pkcs1"],
]);

type KeyForm = "pkcs8" | "sec1" | "pkcs1";

const ENCRYPTED_LABEL = "ENCRYPTED PRIVATE KEY";

function keyInPem(bytes: Uint8Array, name: string): KeyObject {
  const blocks = readKeyBlocks(name, bytes);
  const [block, ...more] = blocks;
  if (more.length > 0) throw new MaterialError(`${name} contains more than one private key`);
  if (block === undefined) throw new MaterialError(`${name} contains no PRIVATE KEY block`);
  const where = `${name}, line ${block.line}`;
  const form = KEY_FORMS.get(block.label);
  if (form === undefined)
    throw new MaterialError(`${where}: the private key is encrypted; provide it without a passphrase`);
  return decodeKey(block.der, where, form);
}

function readKeyBlocks(name: string, bytes: Uint8Array): PemBlock[] {
  try {
    return pemBlocks(bytes, ...KEY_FORMS.keys(), ENCRYPTED_LABEL);
  } catch (error) {
    if (error instanceof PemError) throw new MaterialError(`${name} ${error.message}`);
    throw error;
  }
}

/**
 * OpenSSL ignores bytes after the key, so `parseDer` checks them first. Errors of both are replaced: they may contain
 * bytes of the key.
 */
function decodeKey(der: Uint8Array, where: string, type: KeyForm = "pkcs8"): KeyObject {
  try {
    parseDer(der);
    return createPrivateKey({ key: Buffer.from(der), format: "der", type });
  } catch {
    throw new MaterialError(`${where}: the private key is malformed`);
  }
}
