import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { PathScope } from "../../../src/authorization/path-scope.ts";
import { PathPattern } from "../../../src/authorization/pattern.ts";
import { parsePathPrefix, parseSecretPath } from "../../../src/domain/secret-path.ts";
import { findPage, type ListPage, type OrderedSecrets } from "../../../src/store/listing.ts";
import { PathIndex } from "../../../src/store/path-index.ts";
import { LIVE, type StoredSecret } from "../../../src/store/secret.ts";

/** The same secret at each path of an index. */
function secretsAt(index: PathIndex): OrderedSecrets {
  const version = { number: 1, expireTime: undefined, state: LIVE };
  return {
    revision: 1,
    atOrAfter(start) {
      const path = index.atOrAfter(start);
      return path === undefined ? undefined : ({ path, versions: [version] } as unknown as StoredSecret);
    },
  };
}

function indexOf(paths: Iterable<string>): PathIndex {
  const index = new PathIndex();
  for (const path of paths) index.add(parseSecretPath(path));
  return index;
}

interface Question {
  readonly patterns: readonly string[];
  readonly prefix?: string;
  readonly after?: string | undefined;
  readonly limit?: number;
  readonly isFolded?: boolean;
}

interface Answer {
  readonly paths: readonly string[];
  readonly folders: readonly string[];
  readonly next: string | undefined;
  /** The number of examined paths. */
  readonly examined: number;
}

function list(index: PathIndex, { patterns, prefix = "", after, limit = 1000, isFolded = false }: Question): Answer {
  const scope = new PathScope(patterns.map((text) => PathPattern.parse(text)));
  const atOrAfter = (text: string) => scope.atOrAfter(text);
  const filter = { isFolded, labels: [], showDeleted: false, isDescribable: () => true };
  const steps = findPage(secretsAt(index), { prefix: parsePathPrefix(prefix), after, limit, atOrAfter, ...filter }, 0);
  let examined = 0;
  let step: IteratorResult<void, ListPage> = steps.next();
  for (; step.done !== true; step = steps.next()) examined++;
  const { secrets, folders, next } = step.value;
  return { paths: secrets.map(({ path }) => path), folders, next, examined };
}

describe("the number of paths that a List examines", () => {
  const TEAMS = 1000;
  let million: PathIndex;

  function* paths(): Generator<string> {
    for (let team = 0; team < TEAMS; team++) {
      for (let app = 0; app < 100; app++) {
        for (let secret = 0; secret < 10; secret++) yield `t${team}/a${app}/s${secret}`;
      }
    }
  }

  before(() => {
    million = indexOf(paths());
  });

  // Paths that a caller may not list take almost no time, so they delay neither this caller nor the callers that wait.
  it("is about 10 for a caller that may list 10 of 1,000,000", () => {
    for (const patterns of [
      ["t500/a7/*"],
      ["t500/a7/**"],
      Array.from({ length: 10 }, (_, i) => `t${i * 100}/a${i}/s${i}`),
    ]) {
      const { paths, examined } = list(million, { patterns });
      assert.equal(paths.length, 10, patterns.join());
      assert.ok(examined <= 12, `${patterns.join()}: ${examined}`);
    }
    // The control: a List of a caller that may list all of them examines the paths of its page.
    assert.equal(list(million, { patterns: ["**"], limit: 1000 }).examined, 1001);
  });

  // A folder is skipped by one lookup, whatever it contains, on every page.
  it("is one for each folder", () => {
    const folders = { patterns: ["**"], isFolded: true };
    const first = list(million, { ...folders, limit: 100 });
    assert.deepEqual([first.folders.length, first.folders[0], first.next], [100, "t0/", "t188/"]);
    assert.equal(first.examined, 101);
    const second = list(million, { ...folders, limit: 100, after: first.next });
    assert.deepEqual([second.folders[0], second.examined], ["t189/", 101]);
    const inside = list(million, { ...folders, prefix: "t7/a" });
    assert.deepEqual([inside.folders.length, inside.examined], [100, 101]);
  });

  it("does not grow with the number of patterns", () => {
    const patterns = Array.from({ length: 1000 }, (_, i) => `t${i}/a0/none${i}`);
    const { paths, examined } = list(million, { patterns: [...patterns, "t500/a7/*"], prefix: "t500/" });
    assert.equal(paths.length, 10);
    assert.ok(examined <= 15, `${examined}`);
  });

  // A pattern that begins with * has no literal prefix. The List examines paths for each segment that matches the *.
  it("is two for each team if the pattern begins with * for the team", () => {
    const { paths, examined } = list(million, { patterns: ["*/a7/s3"] });
    assert.equal(paths.length, TEAMS);
    assert.ok(examined <= 2 * TEAMS + 2, `${examined}`);
  });
});

describe("a page of a List", () => {
  // A page that ended after a number of hidden paths, or a token for a page with hidden paths only, would reveal them.
  it("ends at the same path whether or not there are paths that the caller may not list", () => {
    const patterns = ["*/database", "z/**"];
    const visible = ["b/database", "d/database", "z/a/b"];
    const hidden = Array.from({ length: 30_000 }, (_, i) => [
      `c/x${i}`,
      `e${i}/x`,
      "zz/x",
      "d/database-old",
      "d/database/x",
    ]);
    const alone = indexOf(visible);
    const beside = indexOf(new Set([...visible, ...hidden.flat()]));
    for (const limit of [1, 2, 3]) {
      for (const after of [undefined, ...visible]) {
        const { examined: _, ...expected } = list(alone, { patterns, limit, after });
        const { examined, ...found } = list(beside, { patterns, limit, after });
        assert.deepEqual(found, expected);
        assert.ok(examined > 0);
      }
    }
    assert.deepEqual(list(beside, { patterns, limit: 2 }).next, "d/database");
    assert.deepEqual(list(beside, { patterns, limit: 3 }).next, undefined);
  });

  it("is in the order of the paths' bytes, for any patterns", () => {
    const paths = ["a", "a-b", "a-b/x", "a.b/x", "a/x", "a/x-y", "a/x/y", "a0", "a0/x", "b"];
    const all = list(indexOf([...paths].reverse()), { patterns: ["*", "*/*", "a/x/*"] });
    assert.deepEqual(all.paths, paths);
    assert.deepEqual(list(indexOf(paths), { patterns: ["*/x", "a"] }).paths, ["a", "a-b/x", "a.b/x", "a/x", "a0/x"]);
  });
});
