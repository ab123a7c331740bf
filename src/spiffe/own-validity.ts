import type { Bundle } from "./bundle.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { commonProblem, describe, type Problem, type Purpose } from "./certificate-rules.ts";
import { MaterialError, UntimelySvid } from "./material-error.ts";
import type { Svid } from "./svid.ts";
import { SvidRefused } from "./svid-refused.ts";
import { verifySvid } from "./verify.ts";

/**
 * Until when peers that trust `bundle` accept this process's own SVID, in milliseconds since the epoch: the earliest
 * notAfter on its path. Throws {@link MaterialError} if they would refuse it at the time `now`, and
 * {@link UntimelySvid} if the reason is only its validity period. `where` names the SVID and the bundle in the error.
 */
export function ownValidity(svid: Svid, bundle: Bundle, now: number, purpose: Purpose, where: string): number {
  try {
    return verifySvid(svid.chain, new Map([[bundle.trustDomain.name, bundle]]), now, purpose).validUntil;
  } catch (error) {
    if (!(error instanceof SvidRefused)) throw error;
    throw refusal(error, where);
  }
}

/**
 * Until when this process's own SVID can be valid if there is no CA to verify it with, in milliseconds since the epoch:
 * the earliest notAfter in its chain. Throws {@link UntimelySvid} if a certificate has expired at the time `now`, or is
 * not valid yet. `where` names the SVID in the error.
 */
export function chainValidity(svid: Svid, now: number, where: string): number {
  const certificates = svid.chain.map(parseCertificate);
  for (const [index, certificate] of certificates.entries()) {
    const problem = commonProblem(certificate, now, index === 0 ? "the leaf" : describe(certificate));
    if (problem) throw refusal(problem, where);
  }
  return Math.min(...certificates.map(({ notAfter }) => notAfter));
}

function refusal({ reason, detail }: Problem, where: string): MaterialError {
  const isUntimely = reason === "expired" || reason === "not-yet-valid";
  return new (isUntimely ? UntimelySvid : MaterialError)(`${where}: ${detail}`);
}
