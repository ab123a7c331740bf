import { MAX_SIGNATURE_CHECKS } from "../../src/spiffe/path-search.ts";
import { commonName, dnsName, extension, newKey, uriName } from "./certificate-forge.ts";
import { element, sequence } from "./der-writer.ts";
import {
  bundle,
  type Case,
  example,
  forge,
  ID,
  lowestOf,
  namesakes,
  NOW,
  other,
  trust,
  workload,
  workloadKey,
} from "./chain-world.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const YEAR = 365 * 24 * 3600 * SECOND;

const intermediate = example.intermediate();
const lower = intermediate.intermediate({ subject: commonName("lower") });
const longId = `spiffe://example.org/${"a".repeat(2048 - 21)}`;

function signedBy(keyType: "P-384" | "P-521" | "ed25519" | "rsa-2048", digest: "sha256" | "sha384" | "sha512"): Case {
  const ca = forge.ca("spiffe://example.org", { keyType, digest });
  const leaf = ca.issue({ id: ID, keyType, digest });
  return { what: `${keyType} keys and ${digest}`, chain: leaf.chain, key: leaf.key, bundles: trust(ca) };
}

function constrained(what: string, permitted: Buffer[] | undefined, excluded?: Buffer[], dns: string[] = []): Case {
  const ca = forge.ca("spiffe://example.org", {
    ...(permitted && { permitted }),
    ...(excluded && { excluded }),
  });
  return { what, chain: workload({ dns, subject: sequence() }, ca), bundles: trust(ca) };
}

function otherDomain(name: string): Case {
  const id = `spiffe://${name}/api`;
  const ca = forge.ca(`spiffe://${name}`);
  const bundles = new Map([[name, bundle(name, ca)]]);
  const { chain } = ca.issue({ id, key: workloadKey });
  return { what: `the trust domain ${name}`, chain, bundles };
}

function manyNamesakes(): Case {
  const older = Array.from({ length: 20 }, () => forge.ca(undefined));
  const newest = forge.ca(undefined);
  const what = "the last of 21 CAs with one name, identified by its key identifier";
  return { what, chain: workload({}, newest), bundles: trust(...older, newest) };
}

function expiredBeside(): Case {
  const key = newKey("P-256");
  const expired = forge.ca("spiffe://example.org", { key, notBefore: NOW - YEAR, notAfter: NOW - SECOND });
  const renewed = forge.ca("spiffe://example.org", { key });
  const bundles = trust(expired, renewed);
  return {
    what: "a CA that was renewed with the same key, the expired one first",
    chain: workload({}, renewed),
    bundles,
  };
}

function rootSignedWeakly(): Case {
  const ca = forge.ca("spiffe://example.org", { digest: "sha1" });
  return {
    what: "a CA whose own signature is weak, which does not matter",
    chain: workload({}, ca),
    bundles: trust(ca),
  };
}

/** Chains that must be accepted, each for a different reason. */
export const HONEST: readonly Case[] = [
  { what: "a workload directly below the CA", chain: workload() },
  { what: "one intermediate", chain: workload({}, intermediate) },
  { what: "two intermediates", chain: workload({}, lower) },
  { what: "two intermediates in the wrong order", chain: [0, 2, 1].map((index) => workload({}, lower)[index]!) },
  { what: "unnecessary certificates", chain: [...workload(), other.der, intermediate.der] },
  { what: "ten unnecessary certificates", chain: Array.from({ length: 11 }, () => workload()[0]!) },
  { what: "bytes that are not a certificate after a valid leaf", chain: [...workload(), Buffer.from("junk")] },
  { what: "ten certificates, each signed by the next", chain: workload({}, lowestOf(9)) },
  { what: "the CA at the end of the chain", chain: [...workload(), example.der] },
  { what: "the leaf sent twice", chain: [0, 0].map(() => workload({ serial: 7n })[0]!) },
  { what: "DNS names and addresses beside the ID", chain: workload({ dns: ["localhost"], ips: ["127.0.0.1"] }) },
  { what: "a name whose text looks like an ID", chain: workload({ dns: ["URI:spiffe://example.org/admin"] }) },
  { what: "an empty subject", chain: workload({ subject: sequence() }) },
  { what: "no basic constraints", chain: workload({ ca: null }) },
  { what: "no extended key usage", chain: workload({ extendedKeyUsage: null }) },
  { what: "any extended key usage", chain: workload({ extendedKeyUsage: ["2.5.29.37.0"] }) },
  {
    what: "a client that may only be a client",
    chain: workload({ extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"] }),
    purpose: "client",
  },
  {
    what: "a server that may only be a server",
    chain: workload({ extendedKeyUsage: ["1.3.6.1.5.5.7.3.1"] }),
    purpose: "server",
  },
  { what: "a key usage that is not critical", chain: workload({ keyUsageCritical: false }) },
  { what: "digitalSignature as the only key usage", chain: workload({ keyUsage: [0] }) },
  { what: "the longest ID", chain: workload({ id: longId }) },
  { what: "the first moment of validity", chain: workload({ notBefore: NOW }) },
  { what: "the last moment of validity", chain: workload({ notAfter: NOW + HOUR }), now: NOW + HOUR },
  { what: "a validity that ends after 2050", chain: workload({ notAfter: NOW + 30 * YEAR }) },
  { what: "no key identifiers", chain: workload({ keyIds: false }) },
  {
    what: "an authority key identifier that matches no CA",
    chain: workload({
      keyIds: false,
      extensions: [extension("2.5.29.35", false, sequence(element(0x80, Buffer.alloc(20))))],
    }),
  },
  { what: "a path length that is larger than necessary", chain: workload({}, example.intermediate({ pathLength: 3 })) },
  { what: "an intermediate that allows no further one", chain: workload({}, example.intermediate({ pathLength: 0 })) },
  {
    what: "an intermediate in the bundle",
    chain: workload({}, intermediate).slice(0, 1),
    bundles: trust(intermediate),
  },
  {
    what: "an intermediate with the ID of another trust domain, as X509-SVID 3.2 allows",
    chain: workload({}, example.intermediate({ id: "spiffe://other.org" })),
  },
  { what: "a CA without a SPIFFE ID", chain: workload({}, other), bundles: trust(other) },
  {
    what: "the sixteenth CA of a bundle whose CAs differ only in their keys",
    ...namesakes(MAX_SIGNATURE_CHECKS),
  },
  manyNamesakes(),
  expiredBeside(),
  rootSignedWeakly(),
  signedBy("P-384", "sha384"),
  signedBy("P-521", "sha512"),
  signedBy("ed25519", "sha256"),
  signedBy("rsa-2048", "sha256"),
  otherDomain("__proto__"),
  otherDomain("constructor"),
  otherDomain("a..-b."),
  constrained("a CA for this trust domain only", [uriName("example.org")]),
  constrained("a CA for anything but another trust domain", undefined, [uriName("other.org"), uriName(".example.org")]),
  constrained("a CA for certain DNS names, and a workload without any", [dnsName("example.com")]),
  constrained("a CA for all trust domains", [uriName("")], undefined, ["localhost"]),
];
