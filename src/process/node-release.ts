import { supportedNodes } from "../app/release.ts";
import { StartRefused } from "../domain/start-refused.ts";

/**
 * Throws StartRefused unless the server may run on this release of Node, as process.version has it. On Node 24 anybody
 * could end it: there, getPeerCertificate takes the process down at a certificate with a key on a curve that has no name
 * of NIST's, such as secp256k1, and the other way to read a chain leaks memory on every release (see sent-chain.ts).
 */
export function refuseOtherNodes(version: string): void {
  const [major = 0, ...rest] = numbersOf(version);
  const lines = supportedNodes().split(" || ").map(numbersOf);
  if (lines.some(([line, ...oldest]) => line === major && !isBefore(rest, oldest))) return;
  const why = "a stranger's certificate could end it on some others (docs/decisions/0005-own-svid-verifier.md)";
  throw new StartRefused([`this is Node ${version}, and the server runs on ${supportedNodes()} alone: ${why}`]);
}

function numbersOf(version: string): number[] {
  return version.replace(/^\D/, "").split(".").map(Number);
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  const at = other.findIndex((number, index) => number !== one[index]);
  return at !== -1 && (one[at] ?? 0) < (other[at] ?? 0);
}
