import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { processTimers } from "../../../src/domain/timers.ts";
import type { WatchDirectory } from "../../../src/identity/directory-watch.ts";
import { FileSource } from "../../../src/identity/file-source.ts";
import type { IdentitySnapshot, IdentityState } from "../../../src/identity/source.ts";
import { CertificateForge, type Forged } from "../../support/certificate-forge.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { type FileContents, KubernetesVolume, SpiffeHelper } from "../../support/spiffe-helper.ts";
import { example, forge, ID, NOW, other } from "./chain-world.ts";

const root = mkdtempSync(join(tmpdir(), "coffer-rotation-"));
after(() => rmSync(root, { recursive: true }));

const DOMAINS = ["example.org", "other.org"];
const EMPTY_SET = '{"keys":[]}';
const first = example.issue({ id: ID });
const second = example.issue({ id: ID });

function contents({ certPem, keyPem }: Forged, changes: Readonly<Record<string, string>> = {}): FileContents {
  const texts = { "example.org": example.bundlePem, "other.org": other.bundlePem, ...changes };
  return { cert: certPem, key: keyPem, bundles: new Map(Object.entries(texts)) };
}

/** Files that a writer keeps, and a source that follows them by the clock of the test alone. */
class Followed<Writer extends SpiffeHelper | KubernetesVolume = SpiffeHelper> {
  readonly timers = new ManualTimers(NOW);
  readonly states: IdentityState[] = [];
  readonly snapshots: IdentitySnapshot[] = [];
  readonly writer: Writer;
  #source: FileSource | undefined;

  constructor(Kind: new (folder: string, trustDomains: Iterable<string>) => Writer) {
    this.writer = new Kind(mkdtempSync(join(root, "run-")), DOMAINS);
  }

  /** One whose files are good from the start. */
  static good(): Followed {
    const followed = new Followed(SpiffeHelper);
    followed.writer.write(contents(first));
    followed.open();
    assert.equal(followed.source.state.kind, "ready");
    return followed;
  }

  open(watch: WatchDirectory = () => () => {}): void {
    const { timers } = this;
    const source = FileSource.open({ files: this.writer.files, purpose: "server", timers, watch });
    source.onState((state) => this.states.push(state));
    source.onChange((snapshot) => this.snapshots.push(snapshot));
    this.#source = source;
  }

  get source(): FileSource {
    return this.#source!;
  }

  get files() {
    return this.writer.files;
  }

  get problems(): readonly string[] {
    return this.source.state.problems;
  }

  bundleFile(trustDomain: string): string {
    return this.files.bundles.get(trustDomain)!;
  }

  /** How many authorities there are now, by trust domain. */
  authorities(trustDomain: string): number | undefined {
    return this.source.snapshot().bundles.get(trustDomain)?.authorities.length;
  }

  /** Whose SVID is in use. */
  holds(forged: Forged): boolean {
    return this.source.snapshot().svid.certPem === forged.certPem;
  }

  /** Makes all files as old as is said, in milliseconds by the clock of the test. */
  age(ms: number): void {
    const time = new Date(this.timers.clock() - ms);
    for (const file of [this.files.cert, this.files.key, ...this.files.bundles.values()]) utimesSync(file, time, time);
  }
}

describe("Files that are rewritten", () => {
  for (const Kind of [SpiffeHelper, KubernetesVolume]) {
    // Whoever takes a key from one set and a certificate from another can't shake hands with anybody.
    it(`as ${Kind.name} does end in each new identity, and never show a mixed one`, () => {
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

  const successor = forge.authority("spiffe://example.org");
  const ROTATIONS: readonly [what: string, next: Forged, bundle: string, complete: string][] = [
    ["SVID", second, example.bundlePem, "svid_key.pem is written"],
    ["SVID and authority", successor.issue({ id: ID }), successor.bundlePem, "example.org.pem is written"],
  ];
  for (const [what, next, bundle, complete] of ROTATIONS) {
    it(`keep the last good set while a new ${what} is half written, and say so`, () => {
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

  // A file that breaks off between two certificates looks like a bundle from which one was removed.
  it("are not read until two looks have found them the same", () => {
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

  it("are told of once, whatever goes on for long, and not at all when they are the same", () => {
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

describe("A hint that something has changed", () => {
  it("brings the next look forward, and counts from the first of many", () => {
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
  it("stops all looking and watching, and tells nothing more", () => {
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

describe("Files on a real clock", () => {
  const authority = new CertificateForge(Date.now()).authority("spiffe://example.org");
  const fresh = () => contents(authority.issue({ id: ID }), { "example.org": authority.bundlePem });

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

  it("are polled where they can't be watched", async () => {
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
