import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { readCertificates } from "./bundle.ts";
import type { Certificate } from "./certificate.ts";
import { identify, issuerProblem, keyProblem, leafProblem, type Problem, type Purpose } from "./certificate-rules.ts";
import { parseDer } from "./der.ts";
import { collect, MaterialError } from "./material-error.ts";
import { certificatePem, type PemBlock, PemError, pemBlocks } from "./pem.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { SvidRefused } from "./svid-refused.ts";

/** The bytes of a file, and its name for errors. */
export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** An X.509-SVID of our own: what we show to others, and the key that proves it is ours. It never prints its key. */
export class Svid {
  readonly id: SpiffeId;
  /** The certificates in DER, leaf first, then the intermediates. */
  readonly chain: readonly Buffer[];
  /** The same chain in PEM, as node:tls takes it. */
  readonly certPem: string;
  /** When the leaf expires, in milliseconds since the epoch. */
  readonly notAfter: number;
  readonly #keyPem: string;

  constructor(id: SpiffeId, certificates: readonly Certificate[], keyPem: string) {
    this.id = id;
    this.chain = Object.freeze(certificates.map(({ der }) => der));
    this.certPem = certificatePem(this.chain);
    this.notAfter = certificates[0]!.notAfter;
    this.#keyPem = keyPem;
    Object.freeze(this);
  }

  /** The private key in PKCS#8 PEM, as node:tls takes it. A secret. */
  get keyPem(): string {
    return this.#keyPem;
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
 * Reads an X.509-SVID and its key, each in PEM. `cert` holds the leaf first, then the intermediates; `key` holds one
 * PKCS#8 block, unencrypted. Both may be in one file. Checks everything but times and the signature path. Throws
 * {@link MaterialError} with all problems.
 */
export function parseSvid(cert: NamedFile, key: NamedFile, purpose: Purpose): Svid {
  const problems: string[] = [];
  const chain = collect(problems, () => readChain(cert, purpose));
  const privateKey = collect(problems, () => readKey(key));
  if (chain === undefined || privateKey === undefined) throw new MaterialError(...problems);
  const [leaf] = chain.certificates;
  if (!leaf?.publicKey || !createPublicKey(privateKey).equals(leaf.publicKey.key)) {
    throw new MaterialError(`${key.name}: this is not the key of the leaf certificate in ${cert.name}`);
  }
  return new Svid(chain.id, chain.certificates, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
}

function readChain(file: NamedFile, purpose: Purpose): { id: SpiffeId; certificates: Certificate[] } {
  const found = readCertificates(file.bytes, file.name);
  const certificates = found.map(({ certificate }) => certificate);
  const [leaf, ...issuers] = certificates;
  if (leaf === undefined) throw new MaterialError(`${file.name} contains no CERTIFICATE block`);
  const id = identifyOwn(leaf, file.name);
  throwIf(leafProblem(leaf, id, purpose) ?? keyProblem(leaf, "the leaf"), `${file.name}, line ${found[0]!.line}`);
  for (const [index, issuer] of issuers.entries()) {
    throwIf(issuerProblem(issuer, certificates.slice(0, index + 1)), `${file.name}, line ${found[index + 1]!.line}`);
  }
  return { id, certificates };
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

const KEY_LABEL = "PRIVATE KEY";

/** Other forms of a key, each of which `openssl pkcs8` turns into ours. */
const OTHER_KEY_LABELS = ["EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];

function readKey({ name, bytes }: NamedFile): KeyObject {
  const blocks = readKeyBlocks(name, bytes);
  const [block, ...more] = blocks.filter(({ label }) => label === KEY_LABEL);
  if (more.length > 0) throw new MaterialError(`${name} contains more than one ${KEY_LABEL} block`);
  if (block !== undefined) return decodeKey(name, block);
  const other = blocks[0];
  if (other === undefined) throw new MaterialError(`${name} contains no ${KEY_LABEL} block`);
  throw new MaterialError(
    `${name}, line ${other.line}: the ${other.label} block is not a ${KEY_LABEL} block (PKCS#8, unencrypted); ` +
      `convert it with: openssl pkcs8 -topk8 -nocrypt -in ${name}`,
  );
}

function readKeyBlocks(name: string, bytes: Uint8Array): PemBlock[] {
  try {
    return pemBlocks(bytes, KEY_LABEL, ...OTHER_KEY_LABELS);
  } catch (error) {
    if (error instanceof PemError) throw new MaterialError(`${name} ${error.message}`);
    throw error;
  }
}

/** OpenSSL ignores what follows the key; our own reader does not. Neither's error is passed on: it knows the bytes. */
function decodeKey(name: string, { der, line }: PemBlock): KeyObject {
  try {
    parseDer(der);
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } catch {
    throw new MaterialError(`${name}, line ${line}: the private key is malformed`);
  }
}
