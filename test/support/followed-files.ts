import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { WatchDirectory } from "../../src/files/directory-watch.ts";
import { FileSource } from "../../src/identity/file-source.ts";
import type { IdentitySnapshot, IdentityState } from "../../src/identity/source.ts";
import type { Forged } from "./certificate-forge.ts";
import { ManualTimers } from "./manual-timers.ts";
import { type FileContents, type KubernetesVolume, SpiffeHelper } from "./spiffe-helper.ts";
import { example, ID, NOW, other } from "./chain-world.ts";

/** The folder for the files of all tests of this process. It is removed after the tests. */
export const root = mkdtempSync(join(tmpdir(), "coffer-rotation-"));
after(() => rmSync(root, { recursive: true }));

/** The trust domains with a bundle. */
export const DOMAINS = ["example.org", "other.org"];
/** Two SVIDs of the same workload. */
export const first = example.issue({ id: ID });
export const second = example.issue({ id: ID });

/** A consistent set of files. `changes` replaces bundles, by trust domain. */
export function contents({ certPem, keyPem }: Forged, changes: Readonly<Record<string, string>> = {}): FileContents {
  const texts = { "example.org": example.bundlePem, "other.org": other.bundlePem, ...changes };
  return { cert: certPem, key: keyPem, bundles: new Map(Object.entries(texts)) };
}

/** Files of a writer, and a source that follows them with the test's clock. */
export class Followed<Writer extends SpiffeHelper | KubernetesVolume = SpiffeHelper> {
  readonly timers = new ManualTimers(NOW);
  readonly states: IdentityState[] = [];
  readonly snapshots: IdentitySnapshot[] = [];
  readonly writer: Writer;
  #source: FileSource | undefined;

  constructor(Kind: new (folder: string, trustDomains: Iterable<string>) => Writer) {
    this.writer = new Kind(mkdtempSync(join(root, "run-")), DOMAINS);
  }

  /** An instance whose files are valid from the start. */
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

  /** The current number of CA certificates in the bundle of a trust domain. */
  authorities(trustDomain: string): number | undefined {
    return this.source.snapshot().bundles.get(trustDomain)?.authorities.length;
  }

  /** Whether the current SVID of the source is this one. */
  holds(forged: Forged): boolean {
    return this.source.snapshot().svid.certPem === forged.certPem;
  }

  /** Sets the age of all files, in milliseconds by the test's clock. */
  age(ms: number): void {
    const time = new Date(this.timers.clock() - ms);
    for (const file of [this.files.cert, this.files.key, ...this.files.bundles.values()]) {
      if (existsSync(file)) utimesSync(file, time, time);
    }
  }
}
