import { createPrivateKey, type KeyObject, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { privacyProblem } from "../files/private-file.ts";
import type { Credential } from "./development-ca.ts";

/** The files of a credential: its certificate and its key, both in PEM. */
export interface CredentialFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The expected properties of a credential. */
export interface Expectation {
  /** The alternative names, in the format of {@link X509Certificate.subjectAltName}. */
  readonly names: string;
  /** The PEM of the issuer's certificate; absent if the certificate is self-signed. */
  readonly signerPem?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Why a credential must be replaced. */
export type Defect =
  /** A file does not exist. */
  | "missing"
  /** A file contains no certificate, or no private key. */
  | "unreadable"
  /** Other users can access the key (see {@link privacyProblem}): a server would refuse it. */
  | "exposed"
  /** Key and certificate don't match, or the certificate has the wrong names, or another CA signed it. */
  | "foreign"
  /** Less than a third of the certificate's lifetime is left, or it is not valid yet. */
  | "expiring";

/** The result of {@link findCredential}: a credential as expected, or its defect. */
export type Found =
  | { readonly kind: "good"; readonly credential: Credential }
  | { readonly kind: "bad"; readonly defect: Defect };

/** Reads the credential in `files` and compares it with `expected`. Throws the errors of the file system. */
export function findCredential(files: CredentialFiles, expected: Expectation): Found {
  const certPem = readIfThere(files.certFile);
  const keyPem = readIfThere(files.keyFile);
  if (certPem === undefined || keyPem === undefined) return { kind: "bad", defect: "missing" };
  if (privacyProblem(statSync(files.keyFile), files.keyFile) !== undefined) return { kind: "bad", defect: "exposed" };
  const parsed = parse(certPem, keyPem);
  if (parsed === undefined) return { kind: "bad", defect: "unreadable" };
  const { certificate, key } = parsed;
  if (!isAsExpected(certificate, key, expected)) return { kind: "bad", defect: "foreign" };
  if (isExpiring(certificate, expected.now)) return { kind: "bad", defect: "expiring" };
  const notAfter = Date.parse(certificate.validTo);
  return { kind: "good", credential: { certificate: certificate.raw, certPem, keyPem, notAfter } };
}

/**
 * Writes a credential, each file atomically and the key first. If the machine stops in between, key and certificate
 * don't match, and the next run finds the credential "foreign". Only the owner can read the key.
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

function isAsExpected(certificate: X509Certificate, key: KeyObject, expected: Expectation): boolean {
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
    // "wx" does not follow a link that another user created, and sets the mode before the file has content.
    writeFileSync(temporary, text, { flag: "wx", mode });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
