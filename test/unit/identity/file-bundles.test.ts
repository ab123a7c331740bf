import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID, NOW, other } from "../../support/chain-world.ts";
import { contents, DOMAINS, first, Followed, second } from "../../support/followed-files.ts";

const EMPTY_SET = '{"keys":[]}';

describe("a bundle file that is empty or absent", () => {
  const WAYS: readonly [what: string, damage: (file: string) => void, said: string][] = [
    ["truncated", (file) => writeFileSync(file, ""), "is empty"],
    ["removed", (file) => unlinkSync(file), "does not exist"],
    ["a set without keys", (file) => writeFileSync(file, EMPTY_SET), "is empty"],
  ];
  for (const domain of DOMAINS) {
    for (const [what, damage, said] of WAYS) {
      it(`(${what}) withdraws trust in all workloads of ${domain} after 5 s, until it is restored`, () => {
        const followed = Followed.good();
        const file = followed.bundleFile(domain);
        damage(file);
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

  it("changes nothing if it is restored within 5 s", () => {
    const followed = Followed.good();
    writeFileSync(followed.bundleFile("other.org"), "");
    followed.timers.advance(5000);
    followed.writer.write(contents(first));
    followed.timers.advance(60_000);
    assert.deepEqual(followed.snapshots, []);
    assert.deepEqual(followed.problems, []);
  });

  it("does not prevent a rotation of the SVID", () => {
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

  it("and belongs to the server's own trust domain leaves the SVID valid until a certificate in its chain expires", () => {
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

  // Trust must not outlive the volume that contained the bundle.
  it("withdraws trust even if other files are wrong too, and a wrong replacement does not restore it", () => {
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

describe("a bundle file of another trust domain", () => {
  const WAYS: readonly [what: string, content: string][] = [
    ["garbage", "garbage"],
    ["a CA of a third trust domain", forge.ca("spiffe://third.org").bundlePem],
    ["half a certificate", other.bundlePem.slice(0, 200)],
  ];
  for (const [what, content] of WAYS) {
    // Another trust domain publishes an invalid bundle. The rotation of the server's own SVID and of all other bundles
    // continues.
    it(`that contains ${what} leaves the last good bundle in use, and affects nothing else`, () => {
      const followed = Followed.good();
      followed.writer.write(contents(second, { "other.org": content }));
      followed.timers.advance(1100);
      assert.ok(followed.holds(second));
      assert.equal(followed.authorities("other.org"), 1);
      assert.match(followed.problems.join(), /other\.org\.pem.*; the last good bundle of other\.org stays in use$/);
      const ca = forge.ca("spiffe://example.org");
      followed.writer.write(
        contents(second, { "example.org": example.bundlePem + ca.bundlePem, "other.org": content }),
      );
      followed.timers.advance(1100);
      assert.equal(followed.authorities("example.org"), 2);
    });
  }

  // Without a good bundle for the whole lifetime of an SVID, it is unknown which CAs are still trusted.
  it("that stays invalid is replaced by the last good one, until the SVID expires that was in use when it became invalid", () => {
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

  // A revocation by another trust domain must not wait while the server's own files are half written.
  it("is used even if the server's own files are invalid", () => {
    const followed = Followed.good();
    writeFileSync(followed.files.cert, "x");
    writeFileSync(followed.bundleFile("other.org"), forge.ca("spiffe://other.org").bundlePem + other.bundlePem);
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
    assert.equal(followed.authorities("other.org"), 2);
  });

  // While the file of a trust domain is garbage, its last good CAs still belong to it.
  it("that contains garbage still owns its last good CAs: another bundle with one of them is refused", () => {
    const nameless = forge.ca(undefined);
    const followed = Followed.good();
    followed.writer.write(contents(first, { "other.org": nameless.bundlePem }));
    followed.timers.advance(1100);
    assert.deepEqual(followed.problems, []);
    const mixed = example.bundlePem + nameless.bundlePem;
    followed.writer.write(contents(first, { "example.org": mixed, "other.org": "garbage" }));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("example.org"), 1);
    assert.match(followed.problems.join("\n"), /contain the same CA/);
  });
});

// With that option, the CAs of every federated trust domain could issue SVIDs of the server's own trust domain.
describe("the bundles that spiffe-helper mixes with include_federated_domains", () => {
  const nameless = forge.ca(undefined);

  function problems(own: string, foreign: string): string {
    const followed = Followed.good();
    followed.writer.write(contents(first, { "example.org": own, "other.org": foreign }));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("example.org"), followed.problems.length === 0 ? 2 : 1);
    return followed.problems.join("\n");
  }

  it("are refused because of the trust domain in a CA certificate", () => {
    const said = problems(example.bundlePem + other.bundlePem, other.bundlePem);
    assert.match(said, /example\.org\.pem, line \d+: .* other\.org, .* example\.org; .*include_federated_domains/);
  });

  it("are refused because of a CA that is in two of them", () => {
    const said = problems(example.bundlePem + nameless.bundlePem, nameless.bundlePem);
    assert.match(
      said,
      /example\.org\.pem, the bundle of example\.org, .*other\.org\.pem, the bundle of other\.org, contain the/,
    );
    assert.match(said, /include_federated_domains/);
    assert.equal(problems(example.bundlePem + nameless.bundlePem, other.bundlePem), "");
  });
});
