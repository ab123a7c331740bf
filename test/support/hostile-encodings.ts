import type { RefusalReason } from "../../src/spiffe/svid-refused.ts";
import { algorithmOf, extension, uriName } from "./certificate-forge.ts";
import { boolean, element, integer, octetString, sequence, time } from "./der-writer.ts";
import { example, ID, NOW, workload, workloadKey } from "./chain-world.ts";
import { below, type HostileCase, leaf } from "./hostile-case.ts";

const HOUR = 3_600_000;

/** A valid chain whose leaf's bytes are changed after it was signed. */
function bytes(reason: RefusalReason, what: string, change: (der: Buffer) => Uint8Array): HostileCase {
  return { reason, what, chain: [change(Buffer.from(workload()[0]!))] };
}

/** Leaves and intermediates with an invalid encoding, or changed after they were signed. */
export const ENCODING: readonly HostileCase[] = [
  bytes("malformed-certificate", "no bytes", () => Buffer.alloc(0)),
  bytes("malformed-certificate", "no certificate", () => Buffer.from("not a certificate")),
  bytes("malformed-certificate", "a certificate that is cut off", (der) => der.subarray(0, -1)),
  bytes("malformed-certificate", "a byte after the certificate", (der) => Buffer.concat([der, Buffer.of(0)])),
  bytes("malformed-certificate", "two certificates in one", (der) => Buffer.concat([der, example.der])),
  bytes("malformed-certificate", "a length with a leading zero", longerLength),
  bytes("untrusted", "an ID that was changed", (der) => replaced(der, "shop", "bank")),
  bytes("untrusted", "a signature that was changed", (der) => flipped(der, der.length - 1)),
  below("malformed-certificate", "an intermediate with a TRUE that is encoded as 1", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(element(0x01, Buffer.of(1))))],
  }),
  leaf("malformed-certificate", "two subjectAltName extensions", {
    extensions: [extension("2.5.29.17", false, sequence(uriName("spiffe://example.org/admin")))],
  }),
  leaf("malformed-certificate", "an unknown extension twice", {
    extensions: [1, 2].map((value) => extension("1.3.6.1.4.1.99999.1", false, integer(value))),
  }),
  leaf("malformed-certificate", "an empty subjectAltName", {
    uris: [],
    extensions: [extension("2.5.29.17", false, sequence())],
  }),
  leaf("malformed-certificate", "a URI in the constructed form", {
    uris: [],
    names: [element(0xa6, element(0x16, Buffer.from(ID)))],
  }),
  leaf("malformed-certificate", "bytes after the names in subjectAltName", {
    uris: [],
    extensions: [extension("2.5.29.17", false, Buffer.concat([sequence(uriName(ID)), Buffer.of(5, 0)]))],
  }),
  leaf("malformed-certificate", "an address of five bytes", { names: [element(0x87, Buffer.alloc(5))] }),
  leaf("malformed-certificate", "a DNS name beyond ASCII", { dns: ["\u00e4.example.org"] }),
  leaf("malformed-certificate", "a TRUE that is encoded as 1", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(element(0x01, Buffer.of(1))))],
  }),
  leaf("malformed-certificate", "basic constraints with an extra field", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(integer(0), integer(0)))],
  }),
  leaf("malformed-certificate", "a path length below zero", {
    ca: null,
    extensions: [extension("2.5.29.19", true, sequence(boolean(true), element(0x02, Buffer.of(0xff))))],
  }),
  leaf("malformed-certificate", "an object identifier that is too long to be logged", {
    extensions: [extension(`1.3.6.1.4.1${".1".repeat(40)}`, true, Buffer.from([5, 0]))],
  }),
  leaf("malformed-certificate", "an extended key usage without a purpose", {
    extendedKeyUsage: null,
    extensions: [extension("2.5.29.37", false, sequence())],
  }),
  leaf("malformed-certificate", "a key usage that is not a bit string", {
    keyUsage: null,
    extensions: [extension("2.5.29.15", true, octetString(Buffer.of(0x80)))],
  }),
  leaf("malformed-certificate", "a key identifier of the wrong type", {
    keyIds: false,
    extensions: [extension("2.5.29.14", false, integer(1))],
  }),
  leaf("malformed-certificate", "a time that does not exist", {
    tamper: (tbs) =>
      replaced(
        tbs,
        time(NOW + HOUR)
          .subarray(2)
          .toString(),
        "260231120000Z",
      ),
  }),
  leaf("malformed-certificate", "a serial number with a leading zero", {
    serial: 0x7fn << 120n,
    tamper: (tbs) => replaced(tbs, Buffer.from("02107f00", "hex"), Buffer.from("02100000", "hex")),
  }),
  leaf("malformed-certificate", "extensions in a certificate of version 2", {
    tamper: (tbs) => replaced(tbs, Buffer.from("a003020102", "hex"), Buffer.from("a003020101", "hex")),
  }),
  leaf("malformed-certificate", "a version that does not exist", {
    tamper: (tbs) => replaced(tbs, Buffer.from("a003020102", "hex"), Buffer.from("a003020103", "hex")),
  }),
  leaf("malformed-certificate", "an algorithm that differs from the one that was signed", {
    outerAlgorithm: algorithmOf(workloadKey.privateKey, "sha512"),
  }),
  leaf("no-uri", "a certificate of version 1", { version: 1 }),
];

/** The outermost length, encoded with one byte more than necessary. */
function longerLength(der: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0x30, 0x83, 0), der.subarray(2)]);
}

function flipped(der: Buffer, index: number): Buffer {
  const copy = Buffer.from(der);
  copy[index]! ^= 1;
  return copy;
}

/** Replaces the only occurrence of `from`. Throws if there is none, because the case would then test nothing. */
function replaced(der: Buffer, from: string | Buffer, to: string | Buffer): Buffer {
  const copy = Buffer.from(der);
  const index = copy.indexOf(from);
  if (index === -1 || from.length !== to.length) throw new Error("nothing to replace");
  Buffer.from(to).copy(copy, index);
  return copy;
}
