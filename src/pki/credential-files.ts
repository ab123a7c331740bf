import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { privacyProblem } from "../files/private-file.ts";
import type { Credential } from "./development-ca.ts";

/** Where a credential lies: its certificate and its key, both PEM. */
export interface CredentialFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What the credential of some files should be. */
export interface Expectation {
  /** The alternative names, in the words of {@link X509Certificate.subjectAltName}. */
  readonly names: string;
  /** The PEM of the certificate of whoever should have signed it; absent: itself. */
  readonly signerPem?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Why a credential can't be used any longer. */
export type Defect =
  /** A file is not there. */
  | "missing"
  /** A file holds no certificate, or no private key. */
  | "unreadable"
  /** The key lies open to others, see {@link privacyProblem}: a server would refuse it. */
  | "exposed"
  /** Key and certificate are not a pair, or it is for other names, or somebody else signed it. */
  | "foreign"
  /** Less than a third of its life is left, or its life has not begun. */
  | "expiring";

/** What lies in the files: a credential that is as expected, or what is wrong with it. */
export type Found =
  | { readonly kind: "good"; readonly credential: Credential }
  | { readonly kind: "bad"; readonly defect: Defect };

/** Reads the credential of `files` and compares it with what it should be. Throws what the file system throws. */
export function findCredential(files: CredentialFiles, expected: Expectation): Found {
  const certPem = readIfThere(files.certFile);
  const keyPem = readIfThere(files.keyFile);
  if (certPem === undefined || keyPem === undefined) return { kind: "bad", defect: "missing" };
  if (privacyProblem(statSync(files.keyFile), files.keyFile) !== undefined) return { kind: "bad", defect: "exposed" };
  const parsed = parse(certPem, keyPem);
  if (parsed === undefined) return { kind: "bad", defect: "unreadable" };
  const { certificate, key } = parsed;
  if (!isOurs(certificate, key, expected)) return { kind: "bad", defect: "foreign" };
  if (isExpiring(certificate, expected.now)) return { kind: "bad", defect: "expiring" };
  const notAfter = Date.parse(certificate.validTo);
  return { kind: "good", credential: { certificate: certificate.raw, certPem, keyPem, notAfter } };
}

/**
 * Writes a credential, each file whole or not at all, and the key first: should the machine stop in between, the pair
 * that does not fit is found "foreign" next time. Only the owner can read the key.
 */
export function writeCredential(files: CredentialFiles, credential: Credential): void {
  replaceFile(files.keyFile, credential.keyPem, 0o600);
  replaceFile(files.certFile, credential.certPem, 0o644);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(certPem: string, keyPem: string): { certificate: X509Certificate; key: KeyObject } | undefined {
  try {
    return { certificate: new X509Certificate(certPem), key: createPrivateKey(keyPem) };
  } catch {
    return undefined;
  }
}

function isOurs(certificate: X509Certificate, key: KeyObject, expected: Expectation): boolean {
  const signer = expected.signerPem === undefined ? certificate : new X509Certificate(expected.signerPem);
  return (
    certificate.checkPrivateKey(key) &&
    certificate.subjectAltName === expected.names &&
    certificate.verify(signer.publicKey)
  );
}

function isExpiring(certificate: X509Certificate, now: number): boolean {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  return now < from || to - now < (to - from) / 3;
}

function replaceFile(file: string, text: string, mode: number): void {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    // "wx": a link that somebody put there is not followed, and the mode is set before there is anything to read.
    writeFileSync(temporary, text, { flag: "wx", mode });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
