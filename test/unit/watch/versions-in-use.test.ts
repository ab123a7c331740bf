import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Authorizer } from "../../../src/authorization/authorizer.ts";
import { CofferError } from "../../../src/domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { Stored } from "../../../src/store/secret.ts";
import type { VersionUse, WatcherBehind } from "../../../src/store/watch-registry.ts";
import { VersionsInUse } from "../../../src/watch/versions-in-use.ts";
import { policyOf } from "../../support/policy-text.ts";

const WEB = "spiffe://example.org/web";
const API = "spiffe://example.org/api";
const PATH = parseSecretPath("a/db");

let epoch = 0;

function authorizerOf(paths: string, ids = `${WEB}, ${API}`): Authorizer {
  const policy = policyOf(`
rules:
  - name: watching
    spiffe_ids: [${ids}]
    paths: ["${paths}"]
    actions: [watch]
`);
  return new Authorizer({ policy, admins: [], epoch: epoch++ });
}

/** A registry over a store in which each path has one secret, whose newest version the test sets. */
class Kit {
  #authorizer = authorizerOf("**");
  newest = { number: 7, revision: 10 };
  revision = 20;
  readonly registry: VersionsInUse;

  constructor() {
    const memory = {
      get: (path: string) => ({ kind: "secret", path, versions: [this.newest] }) as unknown as Stored,
      revision: 0,
    };
    Object.defineProperty(memory, "revision", { get: () => this.revision });
    this.registry = new VersionsInUse({ memory, authorizer: () => this.#authorizer });
  }

  /** Lets some SPIFFE IDs watch some paths. */
  allow(paths: string, ids?: string): void {
    this.#authorizer = authorizerOf(paths, ids);
  }

  open(watchId: string, caller = WEB, paths: readonly string[] = [], prefixes: readonly string[] = [""]): void {
    const scope = {
      paths: paths.map((path) => parseSecretPath(path)),
      prefixes: prefixes.map((p) => parsePathPrefix(p)),
    };
    this.registry.opened({ watchId, caller, ...scope }, () => {});
  }

  /** Reports a number of paths, each of which has to be accepted. */
  fill(watchId: string, count: number, caller: string): void {
    for (let i = 0; i < count; i++)
      assert.equal(this.report(watchId, 1, "in use", `p/${i}`, caller), "OK", `path ${i}`);
  }

  report(watchId: string, version: number, state: VersionUse = "in use", path = "a/db", caller = WEB): string {
    try {
      const report = { watchId, caller, path: parseSecretPath(path), version, state, instance: `i-${watchId}` };
      this.registry.report(report);
      return "OK";
    } catch (error) {
      assert.ok(error instanceof CofferError);
      return error.metadata["field"] === undefined ? error.reason : `${error.reason} ${error.metadata["field"]}`;
    }
  }

  /** Such as "1 of 2". */
  count(): string {
    const { watchers, converged } = this.registry.count(PATH, this.newest);
    return `${converged} of ${watchers}`;
  }

  get behind(): readonly WatcherBehind[] {
    return this.registry.count(PATH, this.newest).behind;
  }
}

describe("the versions in use", () => {
  // A workload receives a version before it uses it, and can receive a later one while it still uses an older one.
  it("are those reported as in use, and without such a report those received", () => {
    const kit = new Kit();
    kit.open("w");
    assert.deepEqual(kit.behind, [{ caller: WEB, instance: "", version: 0, state: undefined }]);
    assert.equal(kit.report("w", 6, "received"), "OK");
    assert.deepEqual(kit.behind, [{ caller: WEB, instance: "i-w", version: 6, state: "received" }]);
    assert.equal(kit.report("w", 7, "received"), "OK");
    assert.equal(kit.count(), "1 of 1");
    assert.equal(kit.report("w", 6, "in use"), "OK");
    assert.equal(kit.report("w", 7, "received"), "OK");
    assert.deepEqual(kit.behind, [{ caller: WEB, instance: "i-w", version: 6, state: "in use" }]);
    assert.equal(kit.report("w", 7, "in use"), "OK");
    assert.equal(kit.count(), "1 of 1");
    // A workload can return to an older version.
    assert.equal(kit.report("w", 5, "in use"), "OK");
    assert.equal(kit.count(), "0 of 1");
  });

  it("count a watch that names a path several times once, and no watch that does not name it", () => {
    const kit = new Kit();
    kit.open("twice", WEB, ["a/db"], ["", "a/", "a/d"]);
    kit.open("other", WEB, ["a/other"], ["a/db/"]);
    assert.equal(kit.count(), "0 of 1");
    assert.equal(kit.report("other", 7), "INVALID_FIELD path");
    assert.equal(kit.report("twice", 7), "OK");
    assert.equal(kit.count(), "1 of 1");
  });

  it("name those without a report first, then in the order of versions, at most 100", () => {
    const kit = new Kit();
    kit.newest = { number: 300, revision: 10 };
    for (let i = 0; i < 150; i++) {
      kit.open(`w${i}`);
      if (i % 10 !== 0) kit.report(`w${i}`, 200 - i);
    }
    const { watchers, converged, behind } = kit.registry.count(PATH, kit.newest);
    assert.deepEqual([watchers, converged, behind.length], [150, 0, 100]);
    const versions = behind.map(({ version }) => version);
    assert.deepEqual(versions.slice(0, 17), [...Array.from({ length: 15 }, () => 0), 51, 52]);
    assert.deepEqual(
      versions,
      [...versions].sort((a, b) => a - b),
    );
  });

  it("refuse versions that do not exist, and unknown watches", () => {
    const kit = new Kit();
    kit.open("w");
    assert.equal(kit.report("w", 8), "INVALID_FIELD version");
    assert.equal(kit.report("w", 7), "OK");
    assert.equal(kit.report("x", 7), "WATCH_NOT_FOUND");
  });

  // Otherwise any workload that may watch the path could report for another one.
  it("are reported by the SPIFFE ID of the watch only, with the error of an unknown watch for others", () => {
    const kit = new Kit();
    kit.open("w");
    assert.equal(kit.report("w", 7, "in use", "a/db", API), "WATCH_NOT_FOUND");
    assert.equal(kit.count(), "0 of 1");
    assert.equal(kit.report("w", 7), "OK");
    assert.equal(kit.report("w", 1, "in use", "a/db", API), "WATCH_NOT_FOUND");
    assert.equal(kit.count(), "1 of 1");
  });

  it("count only watchers that may watch the path by the current policy", () => {
    const kit = new Kit();
    kit.open("w", WEB);
    kit.open("a", API);
    assert.equal(kit.count(), "0 of 2");
    kit.allow("**", API);
    assert.deepEqual(
      kit.behind.map(({ caller }) => caller),
      [API],
    );
    kit.allow("other/**");
    assert.equal(kit.count(), "0 of 0");
    kit.allow("**");
    assert.equal(kit.count(), "0 of 2");
  });

  it("are forgotten with their watch", () => {
    const kit = new Kit();
    kit.open("w");
    kit.report("w", 7);
    kit.registry.closed("w");
    kit.registry.closed("w");
    assert.deepEqual([kit.count(), kit.registry.size], ["0 of 0", 0]);
    assert.equal(kit.report("w", 7), "WATCH_NOT_FOUND");
    // The next watch of the same caller begins without reports.
    kit.open("w2");
    assert.equal(kit.count(), "0 of 1");
  });

  // After a purge and the retention of its tombstone, version numbers begin with 1 again.
  it("do not count for a secret that was created after the report, even if its number is lower", () => {
    const kit = new Kit();
    kit.open("w");
    kit.report("w", 7);
    assert.equal(kit.count(), "1 of 1");
    kit.newest = { number: 1, revision: 21 };
    assert.equal(kit.count(), "0 of 1");
    kit.revision = 21;
    kit.report("w", 1);
    assert.equal(kit.count(), "1 of 1");
  });

  it("converge for a secret without a version", () => {
    const kit = new Kit();
    kit.open("w");
    kit.newest = { number: 0, revision: 0 };
    assert.equal(kit.count(), "1 of 1");
  });

  it("are reported for at most 10,000 paths of a watch", () => {
    const kit = new Kit();
    kit.open("w");
    kit.fill("w", 10_000, WEB);
    assert.equal(kit.report("w", 1, "in use", "p/more"), "LIMIT_EXCEEDED path");
    assert.equal(kit.report("w", 2, "in use", "p/1"), "OK", "a path with a report");
  });

  // Otherwise a few SPIFFE IDs could use up the limit of all, and the versions of others would not be known.
  it("are reported by one SPIFFE ID for at most half of the paths that the others leave", () => {
    const kit = new Kit();
    const shares = [500_000, 250_000, 125_000, 62_500];
    for (const [number, share] of shares.entries()) {
      const caller = `spiffe://example.org/${number}`;
      for (let reported = 0; reported < share; reported += 10_000) {
        kit.open(`${number}-${reported}`, caller);
        kit.fill(`${number}-${reported}`, Math.min(10_000, share - reported), caller);
      }
      kit.open(`${number}-more`, caller);
      assert.equal(kit.report(`${number}-more`, 1, "in use", "a/db", caller), "LIMIT_EXCEEDED path");
      assert.equal(kit.report(`${number}-0`, 2, "in use", "p/0", caller), "OK", "a path with a report");
    }
    kit.open("other");
    kit.fill("other", 10_000, WEB);
    // The paths of a watch that ends do not count.
    kit.registry.closed("3-0");
    assert.equal(kit.report("3-more", 1, "in use", "a/db", "spiffe://example.org/3"), "OK");
  });

  // Any number of SPIFFE IDs can report, so their shares become smaller.
  it("are reported by each SPIFFE ID for 128 paths, also if the others use up the limit of all", () => {
    const kit = new Kit();
    for (let number = 0; number < 20; number++) {
      const caller = `spiffe://example.org/${number}`;
      for (let watch = 0, isFull = false; !isFull; watch++) {
        kit.open(`${number}-${watch}`, caller);
        for (let i = 0; i < 10_000 && !isFull; i++)
          isFull = kit.report(`${number}-${watch}`, 1, "in use", `p/${i}`, caller) !== "OK";
      }
    }
    kit.open("w");
    kit.fill("w", 128, WEB);
    assert.equal(kit.report("w", 1, "in use", "p/128"), "LIMIT_EXCEEDED path", "the others leave nothing");
  });
});
