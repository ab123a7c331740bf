import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MaterialError } from "../../../src/spiffe/material-error.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import {
  type X509SvidMessage,
  type X509SvidResponse,
  x509SvidResponse,
} from "../../../src/workload-api/x509-messages.ts";
import { chooseSvid, type Selection } from "../../../src/workload-api/selection.ts";
import { readX509Context, type X509Context } from "../../../src/workload-api/x509-context.ts";
import { newKey, SERVER_AUTH } from "../../support/certificate-forge.ts";
import { response, SpireDomain } from "../../support/spire-domain.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const HOUR = 3600_000;
const clock = () => NOW;

const example = new SpireDomain("example.org", clock);
const other = new SpireDomain("other.org", clock);
const good = example.issue("/api");
const ID = "spiffe://example.org/api";

function read(message: X509SvidResponse): X509Context {
  return readX509Context(x509SvidResponse.encode(message), "server");
}

function choose(message: X509SvidResponse, selection: Selection = { kind: "default" }, now = NOW) {
  return chooseSvid(read(message), { selection, inUse: undefined, now, purpose: "server" });
}

/** The problems of a message; empty if it has a usable identity. */
function problems(use: () => unknown): readonly string[] {
  try {
    use();
    return [];
  } catch (error) {
    assert.ok(error instanceof MaterialError, String(error));
    return error.problems;
  }
}

function svidProblems(change: Partial<X509SvidMessage>): readonly string[] {
  return problems(() => choose(response([{ ...good, ...change }], other.federated)));
}

describe("a message of the Workload API", () => {
  it("provides an identity with its own bundle and the federated ones, each by its bare name", () => {
    const message = response([good], other.federated);
    const { svid, bundle, validUntil } = choose(message);
    const { federated, unusable, ignored } = read(message);
    assert.equal(`${svid.id}`, ID);
    assert.deepEqual(Buffer.concat(svid.chain), Buffer.from(good.x509Svid));
    assert.equal(validUntil, NOW + HOUR);
    assert.deepEqual([bundle.trustDomain.name, ...federated.keys()], ["example.org", "other.org"]);
    assert.deepEqual(federated.get("other.org")?.authorities[0]?.der, other.bundle);
    assert.deepEqual([unusable.size, ignored.length], [0, 0]);
  });

  it("may contain intermediates, and a bundle with an expired CA", () => {
    const domain = new SpireDomain("example.org", clock, "upstream");
    domain.publishExpired();
    const { svid, bundle } = choose(response([domain.issue("/api")]));
    assert.equal(svid.chain.length, 2);
    assert.equal(bundle.authorities.length, 2);
  });

  it("may have a federated trust domain with its bare name and an empty bundle", () => {
    const { federated } = read(response([good], { key: "other.org", value: Buffer.alloc(0) }));
    assert.deepEqual(federated.get("other.org")?.authorities, []);
  });

  // __proto__ is a property of every JavaScript object and a valid trust domain name.
  it("may federate with __proto__", () => {
    const { federated } = read(response([good], new SpireDomain("__proto__", clock).federated));
    assert.equal(federated.get("__proto__")?.authorities.length, 1);
  });
});

describe("a message of the Workload API is discarded", () => {
  const trailing = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from([0])]);
  const cut = (bytes: Uint8Array) => Buffer.from(bytes).subarray(0, -1);
  const EMPTY = Buffer.alloc(0);
  const cases: readonly (readonly [what: string, change: Partial<X509SvidMessage>, problem: RegExp])[] = [
    ["without spiffe_id", { spiffeId: "" }, /^svids\[0\]\.spiffe_id is empty$/],
    ["without x509_svid", { x509Svid: EMPTY }, /^svids\[0\]\.x509_svid is empty$/],
    ["without x509_svid_key", { x509SvidKey: EMPTY }, /^svids\[0\]\.x509_svid_key is empty$/],
    ["without bundle", { bundle: EMPTY }, /^svids\[0\]\.bundle is empty$/],
    ["with another SPIFFE ID", { spiffeId: `${ID}2` }, /^svids\[0\]\.spiffe_id is .*api2, but .* of spiffe.*api$/],
    [
      "with an invalid SPIFFE ID",
      { spiffeId: "SPIFFE://example.org/api" },
      /^svids\[0\]\.spiffe_id does not begin with/,
    ],
    [
      "with bytes after the chain",
      { x509Svid: trailing(good.x509Svid) },
      /^svids\[0\]\.x509_svid is not a sequence of/,
    ],
    ["with a truncated chain", { x509Svid: cut(good.x509Svid) }, /^svids\[0\]\.x509_svid is not a sequence of/],
    ["with something else in the chain", { x509Svid: good.x509SvidKey }, /x509_svid, certificate 1: .* is malformed/],
    ["with bytes after the key", { x509SvidKey: trailing(good.x509SvidKey) }, /x509_svid_key: the private key is malf/],
    ["with a key in PEM", { x509SvidKey: Buffer.from("-----BEGIN") }, /x509_svid_key: the private key is malformed$/],
    [
      "with the key of another SVID",
      { x509SvidKey: example.issue("/api").x509SvidKey },
      /_key: this is not the key of the leaf/,
    ],
    ["with bytes after the bundle", { bundle: trailing(good.bundle) }, /^svids\[0\]\.bundle is not a sequence of/],
    [
      "with the bundle of another trust domain",
      { bundle: other.bundle },
      /bundle, certificate 1: .* belongs to .* other\.org/,
    ],
    ["with another CA", { bundle: new SpireDomain("example.org", clock).bundle }, /^svids\[0\], verified with its own/],
  ];
  for (const [what, change, problem] of cases) {
    it(what, () => {
      assert.deepEqual(svidProblems({}), []);
      const [said, ...more] = svidProblems(change);
      assert.match(said!, problem);
      assert.deepEqual(more, []);
    });
  }

  it("if its leaf violates a rule for leaves", () => {
    const leaves: readonly (readonly [X509SvidMessage, RegExp])[] = [
      [example.issue("/api", { ca: true }), /x509_svid, certificate 1: the leaf is a CA$/],
      [example.issue("/api", { keyUsage: [2] }), /certificate 1: the leaf's key usage lacks digitalSignature$/],
      [
        example.issue("/api", { extendedKeyUsage: [] }),
        /certificate 1: the certificate is malformed: extendedKeyUsage/,
      ],
      [example.issue("/api", { extendedKeyUsage: ["1.3.6.1.5.5.7.3.3"] }), /extended key usage lacks serverAuth$/],
      [example.issue("/api", { uris: [ID, ID] }), /x509_svid: the leaf has 2 URIs$/],
      [example.issue("/api", { key: newKey("rsa-1024") }), /certificate 1: the key of the leaf is not/],
      [example.issue(""), /certificate 1: the SPIFFE ID is that of a trust domain, not of a workload$/],
    ];
    for (const [leaf, problem] of leaves) assert.match(problems(() => choose(response([leaf])))[0]!, problem);
    assert.deepEqual(
      problems(() => choose(response([example.issue("/api", { extendedKeyUsage: [SERVER_AUTH] })]))),
      [],
    );
  });

  it("if its SVID is expired or not valid yet, to the millisecond", () => {
    const at = (now: number) => problems(() => choose(response([good]), { kind: "default" }, now));
    assert.deepEqual([at(NOW + HOUR), at(NOW - 10_000)], [[], []]);
    assert.match(at(NOW + HOUR + 1)[0]!, /^svids\[0\], verified with its own bundle: the leaf expired at 2026-/);
    assert.match(at(NOW - 10_001)[0]!, /the leaf is valid from 2026-/);
  });

  it("without any SVID, and if its bytes are not a message", () => {
    assert.deepEqual(
      problems(() => choose(response([]))),
      ["svids is empty: there is no identity for this process"],
    );
    const bytes = x509SvidResponse.encode(response([good]));
    assert.deepEqual(
      problems(() => readX509Context(bytes, "server")),
      [],
    );
    const short = problems(() => readX509Context(bytes.subarray(0, -1), "server"));
    assert.match(short[0]!, /^the bytes are not an X509SVIDResponse: svids\[0\] is truncated$/);
  });

  it("with all of its problems reported together, and no byte of a key", () => {
    const bad = { ...example.issue("/b"), spiffeId: "x", x509SvidKey: Buffer.from("key material") };
    const said = problems(() => choose(response([good, bad])));
    assert.equal(said.length, 2);
    assert.match(said.join(), /svids\[1\]\.spiffe_id .*svids\[1\]\.x509_svid_key/);
    assert.doesNotMatch(said.join(), /material/);
  });
});

describe("a federated bundle", () => {
  const EMPTY = Buffer.alloc(0);
  const entry = (key: string, value: Buffer) => ({ key, value });

  // A mistake or an attack by another trust domain must affect neither the renewal of the server's own SVID nor the
  // other trust domains.
  it("that can't be used affects only its own trust domain", () => {
    const third = new SpireDomain("third.org", clock);
    const cases: readonly (readonly [what: Buffer, problem: RegExp])[] = [
      [Buffer.concat([other.bundle, Buffer.from([0])]), /^federated_bundles\[other\.org\] is not a sequence of certif/],
      [Buffer.from("garbage"), /^federated_bundles\[other\.org\] is not a sequence of certificates in DER$/],
      [third.bundle, /^federated_bundles\[other\.org\], certificate 1: this CA belongs to .* third\.org/],
      [
        Buffer.concat([other.bundle, third.bundle]),
        /^federated_bundles\[other\.org\], certificate 2: .* third\.org, but the bundle is given for other\.org/,
      ],
    ];
    for (const [value, problem] of cases) {
      const message = response([good], entry("spiffe://other.org", value), third.federated);
      assert.equal(`${choose(message).svid.id}`, ID);
      const { federated, unusable, ignored } = read(message);
      assert.deepEqual([...federated.keys(), ...ignored], ["third.org"]);
      assert.match(unusable.get("other.org")!.problem, problem);
      assert.equal(unusable.size, 1);
    }
  });

  it("whose key is not another trust domain is ignored", () => {
    const cases: readonly (readonly [key: string, problem: RegExp])[] = [
      [
        "example.org",
        /^federated_bundles\[example\.org\] belongs to the trust domain of svids\[0\], which has its own bundle$/,
      ],
      ["spiffe://example.org", /^federated_bundles\[example\.org\] belongs to the trust domain of svids\[0\]/],
      ["spiffe://other.org/w", /^federated_bundles, entry 1: the key is the SPIFFE ID of a workload/],
      ["spiffe://OTHER.org", /^federated_bundles, entry 1: the key is not a trust domain: it has a trust domain that/],
      ["", /^federated_bundles, entry 1: the key is not a trust domain: it is empty$/],
    ];
    for (const [key, problem] of cases) {
      for (const value of [EMPTY, other.bundle, example.bundle]) {
        const message = response([good], entry(key, value));
        // The CAs of the server's own trust domain are those delivered with the SVID, whatever a federated bundle
        // contains.
        assert.deepEqual(choose(message).bundle.authorities[0]?.der, example.bundle);
        const { federated, unusable, ignored } = read(message);
        assert.deepEqual([federated.size, unusable.size, ignored.length], [0, 0, 1]);
        assert.match(ignored[0]!, problem);
      }
    }
  });

  // Protobuf implementations differ in which of two entries with the same key counts.
  it("of a trust domain that occurs more than once, in any spelling, can't be used", () => {
    const twice = { ...other.federated, key: "other.org" };
    assert.deepEqual([...read(response([good], twice)).federated.keys()], ["other.org"]);
    for (const entries of [
      [other.federated, twice],
      [other.federated, twice, twice],
      [entry("other.org", Buffer.from("x")), twice],
    ]) {
      const { federated, unusable } = read(response([good], ...entries));
      assert.equal(federated.size, 0);
      assert.equal(unusable.get("other.org")?.problem, "federated_bundles[other.org] occurs twice");
    }
  });
});

describe("of several identities", () => {
  const a = example.issue("/a", { hint: "internal" });
  const b = example.issue("/b", { hint: "external" });
  const expired = example.issue("/expired", { ttl: -1000 });
  const all = response([a, b]);
  const chosen = (message: X509SvidResponse, selection?: Selection) => `${choose(message, selection).svid.id}`;

  it("the first is used, unless another is selected by its hint or its SPIFFE ID", () => {
    assert.equal(chosen(all), a.spiffeId);
    assert.equal(chosen(all, { kind: "hint", hint: "external" }), b.spiffeId);
    assert.equal(chosen(all, { kind: "id", id: SpiffeId.parse(b.spiffeId) }), b.spiffeId);
  });

  it("the first with the same hint counts, and those without a hint are all kept", () => {
    const again = example.issue("/c", { hint: "internal" });
    assert.equal(chosen(response([a, again]), { kind: "hint", hint: "internal" }), a.spiffeId);
    const wanted = { kind: "id", id: SpiffeId.parse(again.spiffeId) } as const;
    assert.match(
      problems(() => choose(response([a, again]), wanted))[0]!,
      /^no X.509-SVID has the requested SPIFFE ID/,
    );
    const unnamed = response([example.issue("/x"), { ...again, hint: "" }]);
    assert.equal(chosen(unnamed, wanted), again.spiffeId);
  });

  it("the error for an identity that is not offered lists the offered ones", () => {
    assert.deepEqual(
      problems(() => choose(all, { kind: "hint", hint: "public" })),
      [
        `no X.509-SVID has the hint "public"; offered are ${a.spiffeId} (hint "internal"), ${b.spiffeId} (hint "external")`,
      ],
    );
  });

  it("only the selected one must be valid, but all must be well-formed", () => {
    assert.equal(chosen(response([a, expired])), a.spiffeId);
    assert.match(problems(() => choose(response([expired, a])))[0]!, /^svids\[0\], .* expired/);
    assert.match(problems(() => choose(response([a, { ...b, x509SvidKey: a.x509SvidKey }])))[0]!, /^svids\[1\]\./);
  });
});
