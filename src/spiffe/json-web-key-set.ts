import { createPublicKey, type JsonWebKey, X509Certificate } from "node:crypto";
import { repeatedName } from "./json-names.ts";
import { MaterialError } from "./material-error.ts";
import { certificateInDer, type LocatedCertificate } from "./own-certificates.ts";
import { isBase64 } from "../x509/pem.ts";

/** The `use` of a CA key for X.509-SVIDs (X509-SVID 6.1). Case-sensitive. */
const X509_SVID = "x509-svid";

/** The known types of keys (`kty`). */
const KEY_TYPES: readonly unknown[] = ["EC", "RSA", "OKP"];

/** White space in JSON (RFC 8259 2). */
const WHITE_SPACE: readonly (number | undefined)[] = [...Buffer.from(" \t\r\n")];

/** Whether bytes begin like a JSON object. PEM does not. */
export function isJson(bytes: Uint8Array): boolean {
  return bytes.find((byte) => !WHITE_SPACE.includes(byte)) === 0x7b;
}

/**
 * The CA certificates in a SPIFFE bundle in its published form, a JWK Set (SPIFFE Trust Domain and Bundle 4, X509-SVID
 * 6). Skips keys that are not for X.509-SVIDs, and the sequence number and the refresh hint, which are for the program
 * that fetches the bundle. Throws {@link MaterialError}; `where` names the file.
 */
export function certificatesInJwks(bytes: Uint8Array, where: string): LocatedCertificate[] {
  return readKeys(bytes, where).flatMap((key, index) => certificateOf(key, `${where}, keys[${index}]`) ?? []);
}

/** Trust Domain and Bundle 4.1.3: the list must be present, and may be empty. */
function readKeys(bytes: Uint8Array, where: string): readonly unknown[] {
  const json = Buffer.from(bytes).toString();
  const { keys } = parse(json, where);
  const repeated = repeatedName(json);
  if (repeated !== undefined) {
    throw new MaterialError(`${where} has the name ${JSON.stringify(repeated.slice(0, 40))} twice in one object`);
  }
  if (!Array.isArray(keys)) throw new MaterialError(`${where} is not a SPIFFE bundle: it has no list "keys"`);
  return keys;
}

/** Parses JSON. Large numbers, such as a sequence number, can lose digits, but no number is used. */
function parse(json: string, where: string): { readonly keys?: unknown } {
  try {
    return JSON.parse(json);
  } catch {
    throw new MaterialError(`${where} begins like JSON, but is not valid JSON`);
  }
}

/**
 * Undefined for a key that is not for X.509-SVIDs or has no certificate (Trust Domain and Bundle 4.2, X509-SVID 6.2).
 */
function certificateOf(key: unknown, where: string): LocatedCertificate | undefined {
  if (typeof key !== "object" || key === null) throw new MaterialError(`${where} is not an object`);
  const { use, kty, x5c = [] } = key as { use?: unknown; kty?: unknown; x5c?: unknown };
  if (use !== X509_SVID || !KEY_TYPES.includes(kty)) return undefined;
  if (!Array.isArray(x5c)) throw new MaterialError(`${where}.x5c is not a list`);
  if (x5c.length === 0) return undefined;
  // X509-SVID 6.2: further certificates are ignored.
  const located = certificateInDer(readBase64(x5c[0], `${where}.x5c[0]`), `${where}.x5c[0]`);
  if (!isKeyOf(key, located.certificate.der)) {
    throw new MaterialError(`${where} is not the key of the certificate in its x5c`);
  }
  return located;
}

/** RFC 7517 4.7: base64, not base64url. */
function readBase64(text: unknown, where: string): Buffer {
  if (typeof text === "string" && isBase64(text)) return Buffer.from(text, "base64");
  throw new MaterialError(`${where} is not plain base64`);
}

/**
 * RFC 7517 4.7: the two keys must be equal. Otherwise readers of the key and readers of the certificate trust different
 * CAs.
 */
function isKeyOf(key: object, der: Buffer): boolean {
  try {
    return createPublicKey({ key: key as JsonWebKey, format: "jwk" }).equals(new X509Certificate(der).publicKey);
  } catch {
    return false;
  }
}
