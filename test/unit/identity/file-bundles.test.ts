import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID, NOW, other } from "../../support/chain-world.ts";
import { contents, DOMAINS, first, Followed, second } from "../../support/followed-files.ts";

const EMPTY_SET = '{"keys":[]}';

describe("A bundle file that is empty or gone", () => {
  const WAYS: readonly [what: string, ruin: (file: string) => void, said: string][] = [
    ["truncated", (file) => writeFileSync(file, ""), "is empty"],
    ["removed", (file) => unlinkSync(file), "does not exist"],
    ["a set without keys", (file) => writeFileSync(file, EMPTY_SET), "is empty"],
  ];
  for (const domain of DOMAINS) {
    for (const [what, ruin, said] of WAYS) {
      it(`(${what}) distrusts everybody of ${domain}, after 5 s and until it is back`, () => {
        const followed = Followed.good();
        const file = followed.bundleFile(domain);
        ruin(file);
        followed.timers.advance(1000);
        followed.timers.advance(4900);
        assert.equal(followed.snapshots.length, 0);
        assert.deepEqual(followed.problems, [`${file}, the bundle of ${domain}, ${said}`]);
        followed.timers.advance(1200);
        assert.deepEqual(
          DOMAINS.map((name) => followed.authorities(name)),
          DOMAINS.map((name) => (name === domain ? 0 : 1)),
        );
        assert.deepEqual(followed.problems, [
          `${file}, the bundle of ${domain}, ${said}; no workload of ${domain} is trusted`,
        ]);
        assert.ok(followed.holds(first));
        followed.timers.advance(60_000);
        assert.equal(followed.snapshots.length, 1);
        followed.writer.write(contents(first));
        followed.timers.advance(1100);
        assert.equal(followed.authorities(domain), 1);
        assert.deepEqual(followed.problems, []);
      });
    }
  }

  it("is of no account when it is back within 5 s", () => {
    const followed = Followed.good();
    writeFileSync(followed.bundleFile("other.org"), "");
    followed.timers.advance(5000);
    followed.writer.write(contents(first));
    followed.timers.advance(60_000);
    assert.deepEqual(followed.snapshots, []);
    assert.deepEqual(followed.problems, []);
  });

  it("does not keep a new SVID out", () => {
    for (const domain of DOMAINS) {
      const followed = Followed.good();
      followed.writer.write(contents(first, { [domain]: "" }));
      followed.timers.advance(7000);
      followed.writer.write(contents(second, { [domain]: "" }));
      followed.timers.advance(1100);
      assert.ok(followed.holds(second), domain);
      assert.equal(followed.authorities(domain), 0);
    }
  });

  it("leaves our SVID valid until the first certificate that we send expires, if it is our own", () => {
    const followed = new Followed(SpiffeHelper);
    const intermediate = example.intermediate({ notAfter: NOW + 60_000 });
    followed.writer.write(contents(intermediate.issue({ id: ID })));
    followed.open();
    writeFileSync(followed.bundleFile("example.org"), "");
    followed.timers.advance(10_000);
    assert.equal(followed.authorities("example.org"), 0);
    assert.equal(followed.source.snapshot().validUntil, NOW + 60_000);
    followed.timers.advance(60_000);
    assert.equal(followed.source.state.kind, "waiting");
  });

  // A volume that is gone must not keep alive the trust that it gave.
  it("distrusts although other files are wrong too, and what comes instead does not undo it", () => {
    const followed = Followed.good();
    writeFileSync(followed.files.cert, "x");
    followed.timers.advance(2000);
    unlinkSync(followed.bundleFile("other.org"));
    followed.timers.advance(7200);
    assert.equal(followed.authorities("other.org"), 0);
    assert.equal(followed.problems.length, 2);
    writeFileSync(followed.bundleFile("other.org"), "x");
    followed.timers.advance(7200);
    assert.equal(followed.authorities("other.org"), 0);
    followed.writer.write(contents(first));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("other.org"), 1);
    assert.deepEqual(followed.problems, []);
  });
});

describe("A bundle file of another trust domain that can't be used", () => {
  const WAYS: readonly [what: string, content: string][] = [
    ["garbage", "garbage"],
    ["an authority of a third domain", forge.authority("spiffe://third.org").bundlePem],
    ["half a certificate", other.bundlePem.slice(0, 200)],
  ];
  for (const [what, content] of WAYS) {
    // A partner publishes nonsense: our own renewal, and everybody else's, go on.
    it(`(${what}) leaves its last good one in use, and everything else as it would be`, () => {
      const followed = Followed.good();
      followed.writer.write(contents(second, { "other.org": content }));
      followed.timers.advance(1100);
      assert.ok(followed.holds(second));
      assert.equal(followed.authorities("other.org"), 1);
      assert.match(followed.problems.join(), /other\.org\.pem.*; the last good bundle of other\.org stays in use$/);
      const authority = forge.authority("spiffe://example.org");
      followed.writer.write(
        contents(second, { "example.org": example.bundlePem + authority.bundlePem, "other.org": content }),
      );
      followed.timers.advance(1100);
      assert.equal(followed.authorities("example.org"), 2);
    });
  }

  // Who has had no good bundle for the whole life of an SVID does not know whom to trust.
  it("is stood in for no longer than the SVID lasts that was in use when it was good", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(example.issue({ id: ID, notAfter: NOW + 60_000 })));
    followed.open();
    followed.writer.write(contents(second, { "other.org": "garbage" }));
    followed.timers.advance(58_000);
    assert.ok(followed.holds(second));
    assert.equal(followed.authorities("other.org"), 1);
    followed.timers.advance(4000);
    assert.equal(followed.authorities("other.org"), 0);
    assert.match(followed.problems.join(), /; no workload of other\.org is trusted$/);
    assert.ok(followed.holds(second));
  });

  // The other way round: while our own files are half written, a partner's revocation must not wait for them.
  it("and one that can be used is used, although our own files are wrong", () => {
    const followed = Followed.good();
    writeFileSync(followed.files.cert, "x");
    writeFileSync(followed.bundleFile("other.org"), forge.authority("spiffe://other.org").bundlePem + other.bundlePem);
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
    assert.equal(followed.authorities("other.org"), 2);
  });

  // While a partner's file is garbage, its last good authorities are as much its own as before.
  it("still owns its authorities: a bundle that holds one of them is refused", () => {
    const nameless = forge.authority(undefined);
    const followed = Followed.good();
    followed.writer.write(contents(first, { "other.org": nameless.bundlePem }));
    followed.timers.advance(1100);
    assert.deepEqual(followed.problems, []);
    const mixed = example.bundlePem + nameless.bundlePem;
    followed.writer.write(contents(first, { "example.org": mixed, "other.org": "garbage" }));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("example.org"), 1);
    assert.match(followed.problems.join("\n"), /hold the same authority/);
  });
});

// With that option every trust domain that we federate with could give out the IDs of ours.
describe("The bundles that spiffe-helper mixes with include_federated_domains", () => {
  const nameless = forge.authority(undefined);

  function problems(own: string, foreign: string): string {
    const followed = Followed.good();
    followed.writer.write(contents(first, { "example.org": own, "other.org": foreign }));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("example.org"), followed.problems.length === 0 ? 2 : 1);
    return followed.problems.join("\n");
  }

  it("are refused by the domain that an authority names", () => {
    const said = problems(example.bundlePem + other.bundlePem, other.bundlePem);
    assert.match(said, /example\.org\.pem, line \d+: .* other\.org, .* example\.org; .*include_federated_domains/);
  });

  it("are refused by an authority that is in two of them", () => {
    const said = problems(example.bundlePem + nameless.bundlePem, nameless.bundlePem);
    assert.match(
      said,
      /example\.org\.pem, the bundle of example\.org, .*other\.org\.pem, the bundle of other\.org, hold the/,
    );
    assert.match(said, /include_federated_domains/);
    assert.equal(problems(example.bundlePem + nameless.bundlePem, other.bundlePem), "");
  });
});
