import { supportedNodes } from "../app/release.ts";
import { StartRefused } from "../domain/start-refused.ts";

/**
 * Throws StartRefused unless the server supports this release of Node. `version` is process.version. On Node 24 an
 * unauthenticated client could crash the server: there, getPeerCertificate crashes the process when a certificate has a
 * key on a curve without a NIST name, such as secp256k1. The other way to read a chain leaks memory on every release (see
 * sent-chain.ts).
 */
export function refuseOtherNodes(version: string): void {
  const [major = 0, ...rest] = numbersOf(version);
  const lines = supportedNodes().split(" || ").map(numbersOf);
  if (lines.some(([line, ...oldest]) => line === major && !isBefore(rest, oldest))) return;
  const why = "on others, an unauthenticated client could crash it (docs/decisions/0005-own-svid-verifier.md)";
  throw new StartRefused([`this is Node ${version}, and the server runs on ${supportedNodes()} only: ${why}`]);
}

function numbersOf(version: string): number[] {
  return version.replace(/^\D/, "").split(".").map(Number);
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  const at = other.findIndex((number, index) => number !== one[index]);
  return at !== -1 && (one[at] ?? 0) < (other[at] ?? 0);
}
