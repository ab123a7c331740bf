import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { processTimers } from "../../../src/domain/timers.ts";
import { FileSource } from "../../../src/identity/file-source.ts";
import { CertificateForge, type Forged } from "../../support/certificate-forge.ts";
import { KubernetesVolume, SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID } from "../../support/chain-world.ts";
import { contents, DOMAINS, first, Followed, root, second } from "../../support/followed-files.ts";

describe("files that are rewritten", () => {
  // A certificate in the chain that is not on the path does not affect verification. But a release of OpenSSL that
  // refuses to present it would report that only when the next TLS context is created.
  it("keep the last good set if the chain has a weak certificate outside of its path", () => {
    const followed = Followed.good();
    const legacy = example.intermediate({ digest: "md5" });
    followed.writer.write(contents({ ...second, certPem: second.certPem + legacy.bundlePem }));
    followed.timers.advance(1100);
    assert.ok(followed.holds(first));
    assert.match(followed.problems.join(), /svid\.pem, line \d+: .* is not signed with SHA-2 or Ed25519$/);
    followed.writer.write(contents({ ...second, certPem: second.certPem + example.intermediate().bundlePem }));
    followed.timers.advance(1100);
    assert.deepEqual(followed.problems, []);
  });

  for (const Kind of [SpiffeHelper, KubernetesVolume]) {
    // With a key of one set and a certificate of another, no handshake succeeds.
    it(`by ${Kind.name} lead to each new identity, and never to a mixed one`, () => {
      const followed = new Followed<SpiffeHelper | KubernetesVolume>(Kind);
      const issued = [first, second, example.issue({ id: ID }), example.intermediate().issue({ id: ID })];
      const keys = new Map(issued.map(({ certPem, keyPem }) => [certPem, keyPem]));
      followed.writer.write(contents(first));
      followed.open();
      for (const forged of issued) {
        followed.writer.write(contents(forged));
        followed.timers.advance(1100);
        assert.ok(followed.holds(forged));
        assert.deepEqual(followed.problems, []);
      }
      assert.equal(followed.snapshots.length, 3);
      for (const { svid } of followed.snapshots) assert.equal(svid.keyPem, keys.get(svid.certPem));
    });
  }

  const successor = forge.ca("spiffe://example.org");
  const ROTATIONS: readonly [what: string, next: Forged, bundle: string, complete: string][] = [
    ["SVID", second, example.bundlePem, "svid_key.pem is written"],
    ["SVID and CA", successor.issue({ id: ID }), successor.bundlePem, "example.org.pem is written"],
  ];
  for (const [what, next, bundle, complete] of ROTATIONS) {
    it(`keep the last good set while a new ${what} is half written, and report it`, () => {
      const followed = Followed.good();
      let isComplete = false;
      for (const step of followed.writer.steps(contents(next, { "example.org": bundle }))) {
        followed.timers.advance(1100);
        isComplete ||= step === complete;
        assert.ok(followed.holds(isComplete ? next : first), step);
        assert.equal(
          followed.problems.length === 0,
          step.endsWith("written") && !step.includes("half") && isComplete,
          step,
        );
      }
      assert.equal(followed.snapshots.length, 1);
      const secrets = [first, next].flatMap(({ keyPem }) => keyPem.split("\n").slice(1, -2));
      const said = followed.states.flatMap(({ problems }) => problems).join("\n");
      assert.ok(!secrets.some((secret) => said.includes(secret.slice(0, 32))), said);
    });
  }

  it("are read soon after a reload, and not after the source is closed", () => {
    const followed = Followed.good();
    followed.writer.write(contents(second));
    followed.source.reload();
    followed.timers.advance(200);
    assert.ok(followed.holds(second));
    followed.source.close();
    followed.source.reload();
    assert.deepEqual(followed.timers.pauses, []);
  });

  // A file that is truncated between two certificates looks like a bundle from which one was removed.
  it("are not used until two reads in a row have found the same content", () => {
    const followed = Followed.good();
    writeFileSync(followed.bundleFile("example.org"), successor.bundlePem);
    followed.timers.advance(1050);
    writeFileSync(followed.bundleFile("example.org"), successor.bundlePem + example.bundlePem);
    followed.timers.advance(1100);
    assert.equal(followed.authorities("example.org"), 2);
    assert.deepEqual(
      followed.states.map(({ problems }) => problems),
      [[]],
    );
  });

  it("cause one report for a problem that persists, and none if they have not changed", () => {
    const followed = Followed.good();
    followed.writer.write(contents(first));
    followed.timers.advance(60_000);
    assert.deepEqual(followed.states, []);
    writeFileSync(followed.files.cert, "x");
    followed.timers.advance(60_000);
    assert.equal(followed.states.length, 1);
    assert.match(followed.problems.join(), /svid\.pem contains no PEM block$/);
    unlinkSync(followed.files.cert);
    followed.timers.advance(60_000);
    assert.equal(followed.states.length, 2);
    assert.match(followed.problems.join(), /svid\.pem does not exist$/);
    assert.ok(followed.holds(first));
  });
});

describe("a notification of a change", () => {
  it("leads to an observation a tenth of a second after the first of several notifications", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first));
    const hints: (() => void)[] = [];
    followed.open((_directory, onEvent) => {
      hints.push(onEvent);
      return () => {};
    });
    assert.equal(hints.length, 1);
    followed.writer.write(contents(second));
    followed.timers.advance(300);
    assert.ok(followed.holds(first));
    hints[0]!();
    followed.timers.advance(60);
    hints[0]!();
    followed.timers.advance(40);
    followed.timers.advance(100);
    assert.ok(followed.holds(second));
  });
});

describe("FileSource.close", () => {
  it("stops observing and watching, and calls no listener after that", () => {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first));
    let watching = 0;
    followed.open(() => {
      watching++;
      return () => void watching--;
    });
    assert.equal(watching, 1);
    assert.ok(followed.timers.pauses.length > 0);
    followed.source.close();
    assert.equal(watching, 0);
    assert.deepEqual(followed.timers.pauses, []);
    followed.writer.write(contents(second));
    followed.timers.advance(60_000);
    assert.deepEqual(followed.states, []);
    assert.ok(followed.holds(first));
  });
});

describe("files on a real clock", () => {
  const ca = new CertificateForge(Date.now()).ca("spiffe://example.org");
  const fresh = () => contents(ca.issue({ id: ID }), { "example.org": ca.bundlePem });

  for (const Kind of [SpiffeHelper, KubernetesVolume]) {
    it(`are followed as ${Kind.name} writes them`, async () => {
      const writer = new Kind(mkdtempSync(join(root, "real-")), DOMAINS);
      const source = FileSource.open({ files: writer.files, purpose: "server", timers: processTimers });
      try {
        for (const next of [fresh(), fresh()]) {
          const taken = new Promise<void>((resolve) => {
            source.onChange(({ svid }) => svid.certPem === next.cert && resolve());
          });
          writer.write(next);
          await taken;
        }
      } finally {
        source.close();
      }
    });
  }

  it("are polled if they can't be watched", async () => {
    const folder = join(root, "later");
    const writer = new KubernetesVolume(folder, DOMAINS);
    const source = FileSource.open({ files: writer.files, purpose: "server", timers: processTimers });
    const taken = new Promise<void>((resolve) => source.onChange(() => resolve()));
    writer.write(fresh());
    await taken;
    source.close();
    assert.ok(readdirSync(folder).includes("..data"));
  });
});
