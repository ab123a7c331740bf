import { MAX_PATH_BYTES, MAX_SIGNATURE_CHECKS } from "../../src/spiffe/path-search.ts";
import {
  algorithmOf,
  CA_SUBJECT,
  commonName,
  dnsName,
  extension,
  type Issuer,
  newKey,
  uriName,
} from "./certificate-forge.ts";
import { element, sequence } from "./der-writer.ts";
import { example, forge, lowestOf, ID, namesakes, NOW, other, trust, workload, workloadKey } from "./chain-world.ts";
import { below, type HostileCase, leaf, under } from "./hostile-case.ts";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

const rogue = forge.ca("spiffe://example.org");
const federated = other.intermediate({ subject: CA_SUBJECT });
const selfSigned = forge.selfSigned({ id: ID, key: workloadKey });
const workloadAsIssuer = forge.issuerFrom(
  example.issue({ id: "spiffe://example.org/mallory", subject: commonName("mallory") }),
);

/** Leaves without a path to a CA of the bundle. */
export const UNTRUSTED: readonly HostileCase[] = [
  { reason: "untrusted", what: "the CA of another trust domain", chain: workload({}, other) },
  { reason: "untrusted", what: "another trust domain's intermediate", chain: workload({}, federated) },
  {
    reason: "untrusted",
    what: "the CA of another trust domain, with its certificate in the chain",
    chain: [...workload({}, other), other.der],
  },
  { reason: "untrusted", what: "an untrusted CA", chain: workload({}, rogue) },
  {
    reason: "untrusted",
    what: "an untrusted CA, with its certificate in the chain",
    chain: [...workload({}, rogue), rogue.der],
  },
  {
    reason: "untrusted",
    what: "the trusted CA after an untrusted one",
    chain: [...workload({}, rogue), rogue.der, example.der],
  },
  { reason: "untrusted", what: "no key identifiers and an untrusted CA", chain: workload({ keyIds: false }, rogue) },
  {
    reason: "untrusted",
    what: "an intermediate that was not sent",
    chain: workload({}, example.intermediate()).slice(0, 1),
  },
  { reason: "untrusted", what: "a bundle without CA certificates", chain: workload(), bundles: trust() },
  {
    reason: "untrusted",
    what: "a CA that was removed from the bundle",
    chain: workload(),
    bundles: trust(rogue),
  },
  { reason: "untrusted", what: "a self-signed leaf", chain: selfSigned.chain },
  {
    reason: "untrusted",
    what: "a self-signed leaf that is in the bundle",
    chain: selfSigned.chain,
    bundles: trust(selfSigned),
  },
  leaf("untrusted", "the name of an issuer that did not sign", { issuer: commonName("another CA") }),
  under(
    "untrusted",
    "an RSA signature with the algorithm identifier of ECDSA",
    { keyType: "rsa-2048" },
    {
      algorithm: algorithmOf(workloadKey.privateKey, "sha256"),
    },
  ),
  leafInBundle(),
  { reason: "no-bundle", what: "an unknown trust domain", chain: workload({ id: "spiffe://unknown.org/api" }) },
  {
    reason: "no-bundle",
    what: "a trust domain below a known one",
    chain: workload({ id: "spiffe://sub.example.org/api" }),
  },
  {
    reason: "no-bundle",
    what: "a trust domain named like an inherited property",
    chain: workload({ id: "spiffe://constructor/api" }),
  },
  { reason: "no-bundle", what: "a trust domain named __proto__", chain: workload({ id: "spiffe://__proto__/api" }) },
  { reason: "no-bundle", what: "no bundles", chain: workload(), bundles: new Map() },
  {
    reason: "untrusted",
    what: "an ID of the other trust domain, whose bundle is also trusted",
    chain: workload({ id: "spiffe://other.org/api" }),
  },
];

/** Issuers that may not sign what they signed. */
export const PATH: readonly HostileCase[] = [
  { reason: "issuer-not-ca", what: "a workload that signs", chain: workload({}, workloadAsIssuer) },
  below("issuer-not-ca", "an intermediate that is not a CA", { ca: false }),
  below("issuer-not-ca", "an intermediate without basic constraints", { ca: null }),
  below("issuer-not-ca", "an intermediate without keyCertSign", { keyUsage: [6] }),
  below("issuer-not-ca", "an intermediate without key usage", { keyUsage: null }),
  below("expired", "an expired intermediate", { notAfter: NOW - SECOND }),
  below("not-yet-valid", "an intermediate that is not valid yet", { notBefore: NOW + HOUR }),
  below("unknown-critical-extension", "an intermediate with an unknown critical extension", {
    extensions: [extension("2.5.29.36", true, sequence(element(0x80, Buffer.of(0))))],
  }),
  below("unacceptable-key", "an intermediate with an RSA key of 1024 bits", { keyType: "rsa-1024" }),
  below("unacceptable-key", "an intermediate on secp256k1", { keyType: "secp256k1" }),
  below("unacceptable-signature", "an intermediate signed with SHA-1", { digest: "sha1" }),
  under("expired", "an expired CA", { notBefore: NOW - 2 * HOUR, notAfter: NOW - SECOND }),
  under("not-yet-valid", "a CA that is not valid yet", { notBefore: NOW + HOUR }),
  under("issuer-not-ca", "a CA of version 1", { version: 1 }),
  under("issuer-not-ca", "a CA without key usage", { keyUsage: null }),
  under("issuer-not-ca", "an issuer in the bundle that is not a CA", { ca: false }),
  under("unacceptable-key", "a CA with an RSA key of 1024 bits", { keyType: "rsa-1024" }),
  under("unknown-critical-extension", "a CA with an unknown critical extension", {
    extensions: [extension("1.3.6.1.4.1.99999.1", true, Buffer.from([5, 0]))],
  }),
  deeper("an intermediate below a CA that allows none", forge.ca(undefined, { pathLength: 0 }), 1),
  deeper("two intermediates below a CA that allows one", forge.ca(undefined, { pathLength: 1 }), 2),
  {
    reason: "path-too-long",
    what: "an intermediate below an intermediate that allows none",
    chain: workload({}, example.intermediate({ pathLength: 0 }).intermediate({ subject: commonName("lower") })),
  },
  under("name-constraint", "a CA for another trust domain", { permitted: [uriName("other.org")] }),
  under("name-constraint", "a CA for the subdomains of this trust domain only", {
    permitted: [uriName(".example.org")],
  }),
  under("name-constraint", "a CA for a trust domain with the same ending", { permitted: [uriName("ample.org")] }),
  under("name-constraint", "a CA for every trust domain except this one", { excluded: [uriName("example.org")] }),
  constrainedForeignUri(),
  under("name-constraint", "a CA for nothing", { excluded: [uriName("")] }),
  under(
    "name-constraint",
    "a CA for certain DNS names",
    { permitted: [dnsName("example.org")] },
    { dns: ["localhost"] },
  ),
  under(
    "name-constraint",
    "a CA that excludes all IPv4 addresses",
    { excluded: [element(0x87, Buffer.alloc(8))] },
    { ips: ["127.0.0.1"] },
  ),
  under("name-constraint", "a CA for certain subjects", { permitted: [element(0xa4, commonName("x"))] }),
  below("name-constraint", "an intermediate for another trust domain", { permitted: [uriName("other.org")] }),
  constrainedAbove(),
  constrainedFurtherAbove(),
];

const HALF = extension("1.3.6.1.4.1.99999.1", false, Buffer.alloc(MAX_PATH_BYTES / 2));

/** Chains whose verification would cost more than that of a valid one. */
export const WORK: readonly HostileCase[] = [
  { reason: "no-certificate", what: "an empty chain", chain: [] },
  { reason: "chain-too-long", what: "eleven certificates, each signed by the next", chain: workload({}, lowestOf(10)) },
  leaf("chain-too-large", "more bytes than a chain may have", {
    extensions: [extension("1.3.6.1.4.1.99999.1", false, Buffer.alloc(MAX_PATH_BYTES))],
  }),
  {
    reason: "chain-too-large",
    what: "a leaf and an intermediate that together have too many bytes",
    chain: workload({ extensions: [HALF] }, example.intermediate({ extensions: [HALF] })),
  },
  leaf("malformed-certificate", "an extension that is nested too deeply", {
    ca: null,
    extensions: [extension("2.5.29.19", false, nested(5000))],
  }),
  { reason: "too-much-work", what: "intermediates that all signed each other", chain: ring() },
  {
    reason: "too-much-work",
    what: "the seventeenth CA of a bundle whose CAs differ only in their keys",
    ...namesakes(MAX_SIGNATURE_CHECKS + 1),
  },
];

function nested(depth: number): Buffer {
  let inner = sequence();
  for (let level = 1; level < depth; level++) inner = sequence(inner);
  return inner;
}

function leafInBundle(): HostileCase {
  const issued = rogue.issue({ id: ID, key: workloadKey });
  return {
    reason: "untrusted",
    what: "a leaf that is in the bundle itself",
    chain: issued.chain,
    bundles: trust(issued),
  };
}

function deeper(what: string, ca: Issuer, intermediates: number): HostileCase {
  let issuer = ca;
  for (let level = 0; level < intermediates; level++)
    issuer = issuer.intermediate({ subject: commonName(`level ${level}`) });
  return { reason: "path-too-long", what, chain: workload({}, issuer), bundles: trust(ca) };
}

/** The workload satisfies the constraints; the intermediate has a name outside them. */
function constrainedAbove(): HostileCase {
  const ca = forge.ca("spiffe://example.org", { permitted: [uriName("example.org")] });
  const chain = workload({}, ca.intermediate({ id: "spiffe://other.org" }));
  return {
    reason: "name-constraint",
    what: "an intermediate outside the constraints of its CA",
    chain,
    bundles: trust(ca),
  };
}

/** The intermediate has no names outside the constraints; they apply to the workload below it. */
function constrainedFurtherAbove(): HostileCase {
  const ca = forge.ca(undefined, { permitted: [uriName("other.org")] });
  const chain = workload({}, ca.intermediate());
  const what = "a workload outside the constraints of the CA above its issuer";
  return { reason: "name-constraint", what, chain, bundles: trust(ca) };
}

/** A URI that is not a SPIFFE ID has no well-defined host, so a CA with name constraints may not sign for it. */
function constrainedForeignUri(): HostileCase {
  const ca = forge.ca(undefined, { excluded: [uriName("other.org")] });
  const chain = workload({}, ca.intermediate({ uris: ["https://example.org/"] }));
  return {
    reason: "name-constraint",
    what: "an intermediate with a URI of unknown host",
    chain,
    bundles: trust(ca),
  };
}

/**
 * Nine CAs with one name and one key: every order of them is a path to try, 9! in all, and none ends at a CA of the
 * bundle.
 */
function ring(): readonly Buffer[] {
  const key = newKey("P-256");
  const subject = commonName("ring");
  const members = Array.from({ length: 9 }, (_, serial) =>
    forge.ca(undefined, { key, subject, serial: BigInt(serial + 1) }),
  );
  return [...workload({}, members[0]), ...members.map(({ der }) => der)];
}
