import assert from "node:assert/strict";
import { mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, ID, NOW } from "./chain-world.ts";
import { contents, first, Followed, second } from "./followed-files.ts";

describe("At the start", () => {
  function wrong(age: number): Followed {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write({ ...contents(first), key: second.keyPem });
    followed.age(age);
    followed.open();
    return followed;
  }

  it("wrong files that nobody has touched for 5 s are refused at once, and not looked at again", () => {
    const followed = wrong(5000);
    assert.equal(followed.source.state.kind, "failed");
    assert.match(
      followed.problems.join(),
      /svid_key\.pem: this is not the key of the leaf certificate in .*svid\.pem$/,
    );
    assert.deepEqual(followed.timers.pauses, []);
  });

  it("wrong files are refused when they are still wrong 5 s after the last change", () => {
    for (const [age, patience] of [
      [0, 5000],
      [3000, 2000],
      [-3600_000, 5000],
    ] as const) {
      const followed = wrong(age);
      followed.timers.advance(patience - 1);
      assert.equal(followed.source.state.kind, "waiting", `${age}`);
      followed.timers.advance(1);
      assert.equal(followed.source.state.kind, "failed", `${age}`);
    }
  });

  it("wrong files are taken when they become good in that time, and each change gives them more of it", () => {
    const followed = wrong(0);
    followed.timers.advance(4000);
    writeFileSync(followed.files.cert, "x");
    followed.timers.advance(4500);
    assert.equal(followed.source.state.kind, "waiting");
    followed.writer.write(contents(first));
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
  });

  // Another trust domain may publish that it has no authorities any more; that must not keep us from serving our own.
  it("a bundle that says it has no authorities is taken at its word", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first, { "other.org": '{"keys":[]}' }));
    followed.age(5000);
    followed.open();
    assert.ok(followed.holds(first));
    assert.equal(followed.authorities("other.org"), 0);
    assert.match(followed.problems.join(), /nobody of other\.org is trusted$/);
  });

  it("files that are missing are waited for without end, each by its name", () => {
    const followed = new Followed(SpiffeHelper);
    followed.open();
    const { cert, key, bundles } = followed.files;
    const missing = [...bundles].map(([name, file]) => `${file}, the bundle of ${name}, does not exist`);
    assert.deepEqual(followed.problems, [`${cert} does not exist`, `${key} does not exist`, ...missing]);
    followed.timers.advance(600_000);
    assert.equal(followed.source.state.kind, "waiting");
    for (const _ of followed.writer.steps(contents(first))) {
      assert.equal(followed.source.state.kind, "waiting");
      followed.timers.advance(1100);
    }
    assert.ok(followed.holds(first));
    assert.equal(followed.source.snapshot().generation, 1);
  });

  it("an SVID is waited for whose time has not come", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(example.issue({ id: ID, notBefore: NOW + 3000 })));
    followed.age(0);
    followed.open();
    assert.match(followed.problems.join(), /the leaf is valid from/);
    followed.timers.advance(3000);
    assert.equal(followed.source.state.kind, "ready");
  });

  const UNUSABLE: readonly [what: string, ruin: (file: string) => void, said: RegExp][] = [
    ["a folder", (file) => mkdirSync(file), /other\.org\.pem is not a regular file$/],
    [
      "too large",
      (file) => writeFileSync(file, Buffer.alloc(1024 * 1024 + 1)),
      /other\.org\.pem is larger than 1048576 bytes$/,
    ],
  ];
  for (const [what, ruin, said] of UNUSABLE) {
    it(`a bundle file that is ${what} is wrong`, () => {
      const followed = new Followed(SpiffeHelper);
      followed.writer.write(contents(first));
      unlinkSync(followed.bundleFile("other.org"));
      ruin(followed.bundleFile("other.org"));
      followed.age(5000);
      followed.open();
      assert.equal(followed.source.state.kind, "failed");
      assert.match(followed.problems.join(), said);
    });
  }
});
