import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NewestStates } from "../../../src/client/newest-states.ts";
import type { SecretSeen } from "../../../src/client/secret-events.ts";
import { Content } from "../../../src/domain/content.ts";

/** More states than a call can have arguments. */
const MANY = 200_000;

function contentOf(value: string): Content {
  return Content.unchecked([{ key: "k", kind: "text", value: Buffer.from(value) }]);
}

function seen(path: string, version: number, more: Partial<SecretSeen> = {}): SecretSeen {
  const content = contentOf(`${path}@${version}`);
  const times = { createTime: version, expireTime: undefined };
  return { kind: "secret", path, version, state: "live", revision: version, ...times, content, ...more };
}

/** States whose clock the test sets, and the contents that they have released. */
function create(): { states: NewestStates; released: Content[]; setTime: (time: number) => void } {
  let now = 0;
  const released: Content[] = [];
  const states = new NewestStates(
    () => now,
    (content) => void released.push(content),
  );
  return { states, released, setTime: (time) => (now = time) };
}

describe("the newest states of secrets", () => {
  // A program may have the content of a version. An event about the same version must not replace it.
  it("keep the content of a version, and release it when another version or none takes its place", () => {
    const { states, released } = create();
    const first = seen("a", 1);
    assert.deepEqual(states.see(first), { before: undefined, after: first.content });
    const again = seen("a", 1, { revision: 9 });
    assert.deepEqual(states.see(again), { before: first.content, after: first.content });
    assert.equal(states.of("a")?.content, first.content);
    assert.equal(states.of("a")?.revision, 9, "the state itself is the newest");
    assert.throws(() => again.content?.text("k"), /is disposed/, "the copy is overwritten");
    assert.deepEqual(released, []);
    const second = seen("a", 2);
    states.see(second);
    assert.deepEqual(released, [first.content]);
    states.see(seen("a", 2, { state: "deleted", content: undefined }));
    assert.deepEqual(released, [first.content, second.content]);
    assert.equal(states.remove("a"), false, "it had no content");
    assert.equal(states.has("a"), false);
  });

  it("are expired from the time of expiry on, also before their contents are released", () => {
    const { states, released, setTime } = create();
    states.see(seen("a", 1, { expireTime: 100 }));
    states.see(seen("b", 1, { expireTime: 200 }));
    assert.equal(states.live().length, 2);
    setTime(100);
    assert.deepEqual([states.of("a")?.state, states.of("a")?.content], ["expired", undefined]);
    assert.deepEqual(
      states.live().map(({ path }) => path),
      ["b"],
    );
    assert.equal(released.length, 0);
    assert.deepEqual(states.expire(100), { expired: ["a"], next: 200 });
    assert.equal(released.length, 1);
    assert.deepEqual(states.expire(200), { expired: ["b"], next: Number.POSITIVE_INFINITY });
  });

  it(`find the next expiry among ${MANY} secrets`, () => {
    const { states } = create();
    const content = contentOf("shared");
    for (let i = 0; i < MANY; i++) states.see(seen(`many/${i}`, 1, { expireTime: 1000 + i, content }));
    assert.deepEqual(states.expire(1001), { expired: ["many/0", "many/1"], next: 1002 });
  });

  // The store was replaced by an older copy: the number of a version in use names another version.
  it("know a version whose number names another one", () => {
    const { states } = create();
    states.see(seen("a", 7, { createTime: 1 }));
    assert.equal(states.isRenumbered("a", { version: 7, createTime: 1 }), false);
    assert.equal(states.isRenumbered("a", { version: 7, createTime: 2 }), true);
    assert.equal(states.isRenumbered("a", { version: 6, createTime: 2 }), false);
    assert.equal(states.isRenumbered("b", { version: 7, createTime: 2 }), false);
  });
});
