import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { MalformedDer, splitDer } from "../x509/der.ts";
import { MaterialError } from "./material-error.ts";
import { PemError, pemBlocks } from "../x509/pem.ts";

/**
 * A certificate of this process's own identity, from a file or a message of the Workload API. `where` is its position
 * there, such as `svid.pem, line 1`, for error messages.
 */
export interface LocatedCertificate {
  readonly certificate: Certificate;
  readonly where: string;
}

/** The CERTIFICATE blocks of a PEM file. Throws {@link MaterialError}; `where` names the file. */
export function certificatesInPem(pem: Uint8Array, where: string): LocatedCertificate[] {
  try {
    return pemBlocks(pem, "CERTIFICATE").map(({ der, line }) => certificateInDer(der, `${where}, line ${line}`));
  } catch (error) {
    if (error instanceof PemError) throw new MaterialError(`${where} ${error.message}`);
    throw error;
  }
}

/** Concatenated certificates in DER, and nothing else. Throws {@link MaterialError}; `where` names the bytes. */
export function certificatesInDer(der: Uint8Array, where: string): LocatedCertificate[] {
  return split(der, where).map((part, index) => certificateInDer(part, `${where}, certificate ${index + 1}`));
}

function split(der: Uint8Array, where: string): Buffer[] {
  try {
    return splitDer(der);
  } catch (error) {
    if (error instanceof MalformedDer) throw new MaterialError(`${where} is not a sequence of certificates in DER`);
    throw error;
  }
}

/** One certificate in DER. Throws {@link MaterialError}; `where` names it. */
export function certificateInDer(der: Buffer, where: string): LocatedCertificate {
  try {
    return { certificate: parseCertificate(der), where };
  } catch (error) {
    if (!(error instanceof MalformedDer)) throw error;
    throw new MaterialError(`${where}: the certificate is malformed: ${error.message}`);
  }
}
