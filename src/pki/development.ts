import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Clock } from "../domain/timers.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { type Credential, DevelopmentCa, createDevelopmentCa } from "./development-ca.ts";
import {
  type CredentialFiles,
  type Defect,
  type Expectation,
  findCredential,
  writeCredential,
} from "./credential-files.ts";
import { foreignFolder } from "./pki-error.ts";

/** The holders of development SVIDs: the server, an administrator, and two workloads of a shop. */
type DevelopmentName = "coffer" | "admin" | "api" | "web";

/** The names in an SVID: the path of its SPIFFE ID, and additional DNS names and IP addresses. */
interface Subject {
  readonly path: string;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
}

const SUBJECTS: Readonly<Record<DevelopmentName, Subject>> = {
  // grpcurl and buf don't support SPIFFE: they verify a server by its host name.
  coffer: { path: "/coffer", dns: ["localhost"], ip: ["127.0.0.1"] },
  admin: { path: "/admin" },
  api: { path: "/ns/shop/sa/api" },
  web: { path: "/ns/shop/sa/web" },
};

const CA_FILES = { certFile: "bundle.pem", keyFile: "ca.key" };

/** The options of {@link mintDevelopmentPki}. */
export interface MintOptions {
  /** The folder. If it does not exist, it is created with mode 0700. */
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
}

/** A credential on disk, after minting. */
export interface MintedCredential extends CredentialFiles {
  /** The SPIFFE ID; for the CA, the SPIFFE ID of the trust domain. */
  readonly id: string;
  /** When it expires, in milliseconds since the epoch. */
  readonly notAfter: number;
  /** Why it was replaced. Absent if the existing one is still valid. */
  readonly because?: Defect;
}

/** The credentials after minting, created or unchanged. */
export interface MintReport {
  /** Its files are bundle.pem and ca.key. */
  readonly ca: MintedCredential;
  readonly coffer: MintedCredential;
  readonly admin: MintedCredential;
  readonly api: MintedCredential;
  readonly web: MintedCredential;
}

/**
 * Ensures that `dir` contains a CA for the trust domain and SVIDs that it issued. Creates those that are missing,
 * damaged, nearly expired, or of another trust domain or CA, and does not change anything else. The CA's key stays in
 * the folder, so that a later run renews SVIDs under the same bundle.pem, which may have been copied to other machines.
 * Throws {@link PkiError} if `dir` contains one of these files but not the CA's key, and the errors of the file system.
 */
export function mintDevelopmentPki(options: MintOptions): MintReport {
  // An absolute path: for a relative one in a working folder that was removed, Node 20 creates parents in an endless
  // loop.
  mkdirSync(resolve(options.dir), { recursive: true, mode: 0o700 });
  refuseForeignFolder(options.dir);
  const { minted, ca } = ensureCa(options);
  const svid = (name: DevelopmentName) => ensureSvid(options, ca, name);
  return { ca: minted, coffer: svid("coffer"), admin: svid("admin"), api: svid("api"), web: svid("web") };
}

/**
 * Protects unrelated bundles and keys if `--dir` names the wrong folder: files are replaced only in a folder with the
 * CA's key.
 */
function refuseForeignFolder(dir: string): void {
  if (existsSync(join(dir, CA_FILES.keyFile))) return;
  const names = [CA_FILES.certFile, ...Object.keys(SUBJECTS).flatMap((name) => [`${name}.pem`, `${name}.key`])];
  const found = names.find((name) => existsSync(join(dir, name)));
  if (found !== undefined) throw foreignFolder(dir, found, CA_FILES.keyFile);
}

function ensureCa({ dir, trustDomain, clock }: MintOptions): {
  minted: MintedCredential;
  ca: DevelopmentCa;
} {
  const id = `spiffe://${trustDomain.name}`;
  const files = { certFile: join(dir, CA_FILES.certFile), keyFile: join(dir, CA_FILES.keyFile) };
  const expected = { names: `URI:${id}`, now: clock() };
  const { credential, minted } = ensure(id, files, expected, () => createDevelopmentCa(trustDomain, clock).credential);
  return { minted, ca: new DevelopmentCa(credential, clock) };
}

function ensureSvid({ dir, trustDomain, clock }: MintOptions, ca: DevelopmentCa, name: DevelopmentName) {
  const { path, dns = [], ip = [] } = SUBJECTS[name];
  const id = `spiffe://${trustDomain.name}${path}`;
  const files = { certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) };
  const names = [`URI:${id}`, ...dns.map((host) => `DNS:${host}`), ...ip.map((address) => `IP Address:${address}`)];
  const expected = { names: names.join(", "), signerPem: ca.bundlePem, now: clock() };
  return ensure(id, files, expected, () => ca.issue({ id, dns, ip })).minted;
}

function ensure(id: string, files: CredentialFiles, expected: Expectation, make: () => Credential) {
  const found = findCredential(files, expected);
  if (found.kind === "good") {
    const { credential } = found;
    return { credential, minted: { ...files, id, notAfter: credential.notAfter } };
  }
  const credential = make();
  writeCredential(files, credential);
  return { credential, minted: { ...files, id, notAfter: credential.notAfter, because: found.defect } };
}
