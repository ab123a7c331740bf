import assert from "node:assert/strict";
import { unlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID, NOW, other } from "./chain-world.ts";
import { contents, DOMAINS, first, Followed, second } from "./followed-files.ts";

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
          `${file}, the bundle of ${domain}, ${said}: nobody of ${domain} is trusted`,
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
