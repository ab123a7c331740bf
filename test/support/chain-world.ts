import { Bundle } from "../../src/spiffe/bundle.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import type { Purpose } from "../../src/spiffe/certificate-rules.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import {
  CertificateForge,
  type CertificateSpec,
  commonName,
  type Issuer,
  type KeyPair,
  newKey,
} from "./certificate-forge.ts";

/** The time at which the chains of HONEST and HOSTILE are verified: now, because OpenSSL uses the machine's clock. */
export const NOW = Math.floor(Date.now() / 1000) * 1000;

export const ID = "spiffe://example.org/ns/shop/sa/api";

export const forge = new CertificateForge(NOW);

/** Two trust domains whose CAs have the same name, as with SPIRE, so that only signatures distinguish them. */
export const example = forge.ca("spiffe://example.org");
export const other = forge.ca("spiffe://other.org");

/** One key for all workloads, because creating keys takes most of the time of a test. */
export const workloadKey = newKey("P-256");

/** A chain, and the inputs of its verification. */
export interface Case {
  readonly what: string;
  readonly chain: readonly Uint8Array[];
  /** The key of the peer that sends the chain; {@link workloadKey} by default. */
  readonly key?: KeyPair;
  /** {@link TRUST} by default. */
  readonly bundles?: ReadonlyMap<string, Bundle>;
  /** The purpose of the verification; if absent, the result is the same for both purposes. */
  readonly purpose?: Purpose;
  /** {@link NOW} by default. */
  readonly now?: number;
}

/** A chain of a workload of example.org; `spec` is what differs from a valid one. */
export function workload(spec: CertificateSpec = {}, issuer: Issuer = example): readonly Buffer[] {
  return issuer.issue({ id: ID, key: workloadKey, ...spec }).chain;
}

/** The lowest of `count` intermediates, each signed by the one above it. */
export function lowestOf(count: number): Issuer {
  const names = Array.from({ length: count }, (_, depth) => commonName(`intermediate ${depth}`));
  return names.reduce((issuer: Issuer, subject) => issuer.intermediate({ subject }), example);
}

/** A bundle of these certificates. Unlike a bundle that is read from a file, they are not checked. */
export function bundle(name: string, ...authorities: readonly { readonly der: Buffer }[]): Bundle {
  return new Bundle(
    TrustDomain.parse(name),
    authorities.map(({ der }) => parseCertificate(der)),
  );
}

/** A map of bundles that has only the bundle of example.org. */
export function trust(...authorities: readonly { readonly der: Buffer }[]): ReadonlyMap<string, Bundle> {
  return new Map([["example.org", bundle("example.org", ...authorities)]]);
}

/** The default bundles of a chain: both trust domains, each with its CA. */
export const TRUST: ReadonlyMap<string, Bundle> = new Map([
  ["example.org", bundle("example.org", example)],
  ["other.org", bundle("other.org", other)],
]);

/**
 * A workload whose issuer is the last of `count` CAs in the bundle. All of them have the same name, and none has key
 * identifiers.
 */
export function namesakes(count: number): Pick<Case, "chain" | "bundles"> {
  const authorities = Array.from({ length: count }, () => forge.ca(undefined, { keyIds: false }));
  return { chain: workload({ keyIds: false }, authorities.at(-1)!), bundles: trust(...authorities) };
}
