import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID, NOW, other } from "../../support/chain-world.ts";
import { contents, first, Followed, second } from "../../support/followed-files.ts";

describe("a file source at its start", () => {
  function wrong(age: number): Followed {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write({ ...contents(first), key: second.keyPem });
    followed.age(age);
    followed.open();
    return followed;
  }

  it("immediately refuses wrong files that have been unchanged for 5 s, and does not read them again", () => {
    const followed = wrong(5000);
    assert.equal(followed.source.state.kind, "failed");
    assert.match(
      followed.problems.join(),
      /svid_key\.pem: this is not the key of the leaf certificate in .*svid\.pem$/,
    );
    assert.deepEqual(followed.timers.pauses, []);
  });

  it("refuses wrong files that are still wrong 5 s after the last change", () => {
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

  it("accepts files that are corrected within 5 s, and each change restarts the time", () => {
    const followed = wrong(0);
    followed.timers.advance(4000);
    writeFileSync(followed.files.cert, "x");
    followed.timers.advance(4500);
    assert.equal(followed.source.state.kind, "waiting");
    followed.writer.write(contents(first));
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
  });

  // Another trust domain may publish that it no longer has CAs. That must not stop the service for the server's own
  // trust domain.
  it("accepts a bundle that states that it has no CAs", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first, { "other.org": '{"keys":[]}' }));
    followed.age(5000);
    followed.open();
    assert.ok(followed.holds(first));
    assert.equal(followed.authorities("other.org"), 0);
    assert.match(followed.problems.join(), /no workload of other\.org is trusted$/);
  });

  it("waits without limit for missing files, and names each of them", () => {
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

  it("waits for an SVID to become valid", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(example.issue({ id: ID, notBefore: NOW + 3000 })));
    followed.age(0);
    followed.open();
    assert.match(followed.problems.join(), /the leaf is valid from/);
    followed.timers.advance(3000);
    assert.equal(followed.source.state.kind, "ready");
  });

  // The program that renews the SVID writes another one, perhaps only after the server has started, so the server must
  // not exit.
  for (const [what, times] of [
    ["has expired", { notBefore: NOW - 3600_000, notAfter: NOW - 1000 }],
    ["will only be valid in an hour", { notBefore: NOW + 3600_000, notAfter: NOW + 7200_000 }],
  ] as const) {
    it(`treats an SVID that ${what} as absent, and waits for another one`, () => {
      const followed = new Followed(SpiffeHelper);
      followed.writer.write(contents(example.issue({ id: ID, ...times })));
      followed.age(60_000);
      followed.open();
      followed.timers.advance(60_000);
      assert.equal(followed.source.state.kind, "waiting");
      assert.match(followed.problems.join(), /svid\.pem, verified with .*: the leaf (expired at|is valid from) 2026-/);
      followed.writer.write(contents(first));
      followed.timers.advance(1100);
      assert.ok(followed.holds(first));
    });
  }

  const UNUSABLE: readonly [what: string, damage: (file: string) => void, said: RegExp][] = [
    ["a folder", (file) => mkdirSync(file), /\.org\.pem is not a regular file/],
    [
      "too large",
      (file) => writeFileSync(file, Buffer.alloc(1024 * 1024 + 1)),
      /\.org\.pem is larger than 1048576 bytes/,
    ],
    [
      "writable by every user",
      (file) => {
        writeFileSync(file, file.includes("example.org") ? example.bundlePem : other.bundlePem);
        chmodSync(file, 0o666);
      },
      /\.org\.pem can be changed by every user of this machine \(.* mode 0666\); run: chmod go-w/,
    ],
    ["garbage", (file) => writeFileSync(file, "x"), /\.org\.pem contains no PEM block/],
    [
      "that of another trust domain",
      (file) => writeFileSync(file, forge.ca("spiffe://third.org").bundlePem),
      /third\.org/,
    ],
  ];
  for (const [what, damage, said] of UNUSABLE) {
    function damaged(domain: string): Followed {
      const followed = new Followed(SpiffeHelper);
      followed.writer.write(contents(first));
      unlinkSync(followed.bundleFile(domain));
      damage(followed.bundleFile(domain));
      followed.age(5000);
      followed.open();
      assert.match(followed.problems.join(), said);
      return followed;
    }

    it(`fails if the bundle file of the server's own trust domain is ${what}`, () => {
      assert.equal(damaged("example.org").source.state.kind, "failed");
    });

    // A mistake of another trust domain must not prevent the service for the server's own trust domain.
    it(`distrusts only the trust domain with a bundle file that is ${what}`, () => {
      const followed = damaged("other.org");
      assert.ok(followed.holds(first));
      assert.deepEqual([followed.authorities("example.org"), followed.authorities("other.org")], [1, 0]);
      assert.match(followed.problems.join(), /; no workload of other\.org is trusted$/);
      rmSync(followed.bundleFile("other.org"), { recursive: true });
      followed.writer.write(contents(first));
      followed.timers.advance(1100);
      assert.equal(followed.authorities("other.org"), 1);
      assert.deepEqual(followed.problems, []);
    });
  }

  // The file may be written a moment later. The server does not wait longer for the bundle of another trust domain.
  it("waits for a missing bundle file of another trust domain, but only for 5 s", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first));
    const file = followed.bundleFile("other.org");
    unlinkSync(file);
    followed.age(60_000);
    followed.open();
    followed.timers.advance(4900);
    assert.deepEqual(followed.problems, [`${file}, the bundle of other.org, does not exist`]);
    assert.equal(followed.source.state.kind, "waiting");
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
    assert.equal(followed.authorities("other.org"), 0);
    followed.writer.write(contents(first));
    followed.timers.advance(1100);
    assert.equal(followed.authorities("other.org"), 1);
  });
});
