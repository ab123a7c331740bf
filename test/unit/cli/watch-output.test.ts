import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import type { SecretEvent } from "../../../src/client/index.ts";
import { ClientError } from "../../../src/client/client-error.ts";
import { implyValue } from "../../../src/cli/implied-value.ts";
import { parseChangeReaction } from "../../../src/cli/run/change-reaction.ts";
import { changeJson, changeText, shownChange, syncedJson } from "../../../src/cli/watch/shown-change.ts";
import { StreamNotices } from "../../../src/cli/watch/stream-notices.ts";
import { Content } from "../../../src/domain/content.ts";

const TIME = Date.UTC(2026, 0, 31, 12);

const SEEN: Extract<SecretEvent, { readonly kind: "secret" }> = {
  kind: "secret",
  path: "shop/api/db",
  version: 7,
  state: "live",
  revision: 40,
  createTime: TIME - 1000,
  expireTime: undefined,
  content: undefined,
};

const shown = (event: SecretEvent) => shownChange(event, TIME)!;

describe("a line of coffer watch", () => {
  it("has the time, the path, the version and the state", () => {
    assert.equal(changeText(shown(SEEN)), "2026-01-31T12:00:00.000Z shop/api/db 7 LIVE\n");
    const states = ["deleted", "destroyed", "expired"] as const;
    assert.deepEqual(
      states.map((state) =>
        changeText(shown({ ...SEEN, state }))
          .split(" ")
          .slice(2)
          .join(" "),
      ),
      ["7 DELETED\n", "7 DESTROYED\n", "7 EXPIRED\n"],
    );
    assert.match(changeText(shown({ ...SEEN, version: 0, state: "none" })), / - NONE\n$/);
    for (const reason of ["purged", "revoked", "vanished"] as const) {
      const line = changeText(shown({ kind: "gone", path: "a/b", reason }));
      assert.equal(line, `2026-01-31T12:00:00.000Z a/b - ${reason.toUpperCase()}\n`);
    }
  });

  it("is not caused by an event about the stream", () => {
    assert.equal(shownChange({ kind: "heartbeat", revision: 1 }, TIME), undefined);
    assert.equal(shownChange({ kind: "synced", revision: 1, readable: 1, requested: 1 }, TIME), undefined);
  });

  it("is one line of JSON with -o json, with values only if there are any", () => {
    assert.deepEqual(JSON.parse(changeJson(shown(SEEN))), {
      time: "2026-01-31T12:00:00.000Z",
      event: "change",
      path: "shop/api/db",
      version: 7,
      state: "LIVE",
      revision: 40,
      create_time: "2026-01-31T11:59:59.000Z",
    });
    const content = Content.unchecked([
      { key: "user", kind: "text", value: Buffer.from("a\nb") },
      { key: "__proto__", kind: "binary", value: Buffer.from([0xff, 1]) },
    ]);
    const text = changeJson(shown({ ...SEEN, content, expireTime: TIME }));
    assert.equal(text.indexOf("\n"), text.length - 1);
    const { data, binary_data, expire_time } = JSON.parse(text);
    assert.deepEqual(data, { user: "a\nb" });
    assert.deepEqual(Object.entries(binary_data), [["__proto__", "/wE="]]);
    assert.equal(expire_time, "2026-01-31T12:00:00.000Z");
    assert.deepEqual(JSON.parse(changeJson(shown({ kind: "gone", path: "a/b", reason: "purged" }))), {
      time: "2026-01-31T12:00:00.000Z",
      event: "change",
      path: "a/b",
      state: "PURGED",
    });
    const synced = syncedJson({ kind: "synced", revision: 41, readable: 1, requested: 2 }, TIME);
    assert.deepEqual(JSON.parse(synced), {
      time: "2026-01-31T12:00:00.000Z",
      event: "synced",
      revision: 41,
      readable: 1,
      requested: 2,
    });
  });
});

describe("the notices about a stream", () => {
  const disconnected = (message: string): SecretEvent => ({
    kind: "disconnected",
    error: new ClientError("UNAVAILABLE", message),
    retryInMs: 1,
  });
  const synced = (readable: number): SecretEvent => ({ kind: "synced", revision: 1, readable, requested: 2 });

  // An outage of an hour has many attempts.
  it("report an outage once for each problem, and its end", () => {
    const notices = new StreamNotices();
    assert.equal(notices.about(synced(2)), undefined);
    assert.equal(notices.about(disconnected("gone")), "disconnected, and reconnecting: gone");
    assert.equal(notices.about(disconnected("gone")), undefined);
    assert.equal(notices.about(disconnected("refused")), "disconnected, and reconnecting: refused");
    assert.equal(notices.about(synced(2)), "connected again");
    assert.equal(notices.about(synced(2)), undefined);
    assert.equal(notices.about(disconnected("refused")), "disconnected, and reconnecting: refused");
  });

  it("report what may not be watched, when that changes", () => {
    const notices = new StreamNotices();
    assert.equal(notices.about(synced(1)), "1 of 2 paths and prefixes may not be watched, until a rule allows it");
    assert.equal(notices.about(synced(1)), undefined);
    assert.equal(notices.about(synced(2)), "all paths and prefixes may be watched");
    assert.equal(notices.about({ kind: "heartbeat", revision: 1 }), undefined);
  });
});

describe("the option --watch of coffer run", () => {
  it("is restart, or a signal with or without SIG", () => {
    assert.deepEqual(parseChangeReaction("restart"), { kind: "restart" });
    assert.deepEqual(parseChangeReaction("HUP"), { kind: "signal", signal: "SIGHUP" });
    assert.deepEqual(parseChangeReaction("SIGUSR1"), { kind: "signal", signal: "SIGUSR1" });
    for (const text of ["", "hup", "SIGKILL", "SIGSTOP", "reload"])
      assert.throws(() => parseChangeReaction(text), /^Error: invalid reaction ".*": expected restart, SIGHUP, /);
  });

  // Commander would read the path as the value of the option.
  it("does not take the next word as its value", () => {
    const parse = (...words: string[]) => {
      const command = new Command("run").argument("<source...>").option("--watch [reaction]");
      implyValue(command, "--watch", "restart");
      command.parse(words, { from: "user" });
      return [command.opts()["watch"], ...command.args];
    };
    assert.deepEqual(parse("--watch", "a/b", "--", "x", "--watch"), ["restart", "a/b", "x", "--watch"]);
    assert.deepEqual(parse("--watch=HUP", "a/b"), ["HUP", "a/b"]);
    assert.deepEqual(parse("a/b"), [undefined, "a/b"]);
  });
});
