import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePathPrefix, parseSecretPath } from "../../../src/domain/secret-path.ts";
import { WatchScope } from "../../../src/watch/watch-scope.ts";
import { WatcherIndex } from "../../../src/watch/watcher-index.ts";

const PATH = parseSecretPath("shop/api/db");

function watcherOf(paths: readonly string[], prefixes: readonly string[]) {
  const scope = new WatchScope(
    paths.map((path) => parseSecretPath(path)),
    prefixes.map((prefix) => parsePathPrefix(prefix)),
  );
  return { scope };
}

function callsFor(path: string, ...watchers: readonly ReturnType<typeof watcherOf>[]): number[] {
  const index = new WatcherIndex<(typeof watchers)[number]>();
  for (const watcher of watchers) index.add(watcher);
  const calls = new Map(watchers.map((watcher) => [watcher, 0]));
  index.forEach(path, (watcher) => calls.set(watcher, (calls.get(watcher) ?? 0) + 1));
  for (const watcher of watchers) index.delete(watcher);
  index.forEach(path, () => assert.fail("a deleted watcher is called"));
  return [...calls.values()];
}

describe("the index of watchers", () => {
  // Otherwise each change would cost 128 calls for each of a few thousand watchers: half a million calls. Callers without
  // any right could cause this.
  it("calls a watcher once for a path that all of its prefixes contain", () => {
    const nested = Array.from(PATH, (_, length) => PATH.slice(0, length));
    assert.deepEqual(
      callsFor(PATH, watcherOf([PATH], nested), watcherOf([PATH], []), watcherOf([], ["shop"])),
      [1, 1, 1],
    );
  });

  // A prefix can be a whole path. Longer prefixes of other watchers must not repeat the search for it.
  it("calls a watcher once if its prefix is the path, also beside watchers with longer prefixes", () => {
    const longer = Array.from({ length: 100 }, (_, i) => "z".repeat(PATH.length + 1 + i));
    assert.deepEqual(callsFor(PATH, watcherOf([], [PATH]), watcherOf([], longer)), [1, 0]);
  });
});
