import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Clock } from "../domain/timers.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { Authority, createAuthority, type Credential } from "./development-ca.ts";
import {
  type CredentialFiles,
  type Defect,
  type Expectation,
  findCredential,
  writeCredential,
} from "./credential-files.ts";
import { foreignFolder } from "./pki-error.ts";

/** Who gets an SVID for development: the server, an administrator, and two workloads of a shop. */
type DevelopmentName = "coffer" | "admin" | "api" | "web";

/** What the SVID of one of them says: the path of its SPIFFE ID, and other names. */
interface Subject {
  readonly path: string;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
}

const SUBJECTS: Readonly<Record<DevelopmentName, Subject>> = {
  // grpcurl and buf know nothing of SPIFFE: they verify a server by its host name.
  coffer: { path: "/coffer", dns: ["localhost"], ip: ["127.0.0.1"] },
  admin: { path: "/admin" },
  api: { path: "/ns/shop/sa/api" },
  web: { path: "/ns/shop/sa/web" },
};

const AUTHORITY_FILES = { certFile: "bundle.pem", keyFile: "ca.key" };

/** What {@link mintDevelopmentPki} is to do. */
export interface MintOptions {
  /** The folder; it is made, readable to the owner only, if it is not there. */
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
}

/** One credential on disk after minting. */
export interface MintedCredential extends CredentialFiles {
  /** The SPIFFE ID; of the authority, that of the trust domain. */
  readonly id: string;
  /** When it expires, in milliseconds since the epoch. */
  readonly notAfter: number;
  /** Why it was made anew. Absent: it was good and was kept. */
  readonly because?: Defect;
}

/** What was made and what was kept. */
export interface MintReport {
  /** Its files are bundle.pem and ca.key. */
  readonly authority: MintedCredential;
  readonly coffer: MintedCredential;
  readonly admin: MintedCredential;
  readonly api: MintedCredential;
  readonly web: MintedCredential;
}

/**
 * Sees to it that `dir` holds an authority for the trust domain and SVIDs that it signed: makes what is missing, damaged,
 * nearly expired, or of another trust domain or authority, and leaves everything else alone. The authority's key stays
 * beside its certificate, so that a later run renews SVIDs and bundle.pem remains what others have copied.
 * Throws {@link PkiError} for a folder that was not made here, and what the file system throws.
 */
export function mintDevelopmentPki(options: MintOptions): MintReport {
  // Of a relative name in a working folder that was removed, Node 20 tries to make the parents for ever.
  mkdirSync(resolve(options.dir), { recursive: true, mode: 0o700 });
  refuseForeignFolder(options.dir);
  const { minted, authority } = ensureAuthority(options);
  const svid = (name: DevelopmentName) => ensureSvid(options, authority, name);
  return { authority: minted, coffer: svid("coffer"), admin: svid("admin"), api: svid("api"), web: svid("web") };
}

/** Somebody's own bundle or key must not be lost because `--dir` names the wrong folder. Ours has the authority's key. */
function refuseForeignFolder(dir: string): void {
  if (existsSync(join(dir, AUTHORITY_FILES.keyFile))) return;
  const names = [AUTHORITY_FILES.certFile, ...Object.keys(SUBJECTS).flatMap((name) => [`${name}.pem`, `${name}.key`])];
  const found = names.find((name) => existsSync(join(dir, name)));
  if (found !== undefined) throw foreignFolder(dir, found, AUTHORITY_FILES.keyFile);
}

function ensureAuthority({ dir, trustDomain, clock }: MintOptions): { minted: MintedCredential; authority: Authority } {
  const id = `spiffe://${trustDomain.name}`;
  const files = { certFile: join(dir, AUTHORITY_FILES.certFile), keyFile: join(dir, AUTHORITY_FILES.keyFile) };
  const expected = { names: `URI:${id}`, now: clock() };
  const { credential, minted } = ensure(id, files, expected, () => createAuthority(trustDomain, clock).credential);
  return { minted, authority: new Authority(credential, clock) };
}

function ensureSvid({ dir, trustDomain, clock }: MintOptions, authority: Authority, name: DevelopmentName) {
  const { path, dns = [], ip = [] } = SUBJECTS[name];
  const id = `spiffe://${trustDomain.name}${path}`;
  const files = { certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) };
  const names = [`URI:${id}`, ...dns.map((host) => `DNS:${host}`), ...ip.map((address) => `IP Address:${address}`)];
  const expected = { names: names.join(", "), signerPem: authority.bundlePem, now: clock() };
  return ensure(id, files, expected, () => authority.issue({ id, dns, ip })).minted;
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
