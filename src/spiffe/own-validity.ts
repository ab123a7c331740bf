import type { Bundle } from "./bundle.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { commonProblem, describe, type Problem, type Purpose } from "./certificate-rules.ts";
import { MaterialError, UntimelySvid } from "./material-error.ts";
import type { Svid } from "./svid.ts";
import { SvidRefused } from "./svid-refused.ts";
import { verifySvid } from "./verify.ts";

/**
 * Until when peers that trust `bundle` accept our SVID, in milliseconds since the epoch: the earliest notAfter on its
 * path. Throws {@link MaterialError} when they would refuse it at the time `now` already, {@link UntimelySvid} when that is
 * for its times; better to find out here than from each of them. `where` names the SVID and the bundle in the error.
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
 * Until when our SVID may be valid when we have no authority to hold it against, in milliseconds since the epoch: the
 * earliest notAfter of what we send. Throws {@link UntimelySvid} when that is over at the time `now`, or has not begun. `where` names the
 * SVID in the error.
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
