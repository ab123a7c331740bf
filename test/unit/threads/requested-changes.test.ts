import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CofferError, versionMismatch } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { ChangeCommand, ChangeResult } from "../../../src/store/command.ts";
import type { Changes } from "../../../src/store/changes.ts";
import { plaintextsOf } from "../../../src/store/plaintexts.ts";
import { type Answer, decodeAnswers, encodeAnswers } from "../../../src/threads/answers.ts";
import { ChangeServer } from "../../../src/threads/change-server.ts";
import type { FeedMessage } from "../../../src/threads/port-messages.ts";
import { type ChangesMessage, decodeRequests, encodeRequests } from "../../../src/threads/requests.ts";
import { RemoteChanges } from "../../../src/threads/remote-changes.ts";
import { anyCommand } from "../../support/any-command.ts";
import { manualChannel } from "../../support/manual-port.ts";

/** A Put of a text. */
function put(path: string, text: string): ChangeCommand {
  const plaintext = Buffer.from(text);
  const expiry = { kind: "default" as const };
  return {
    author: "spiffe://example.org/test",
    operations: [{ kind: "put", path: parseSecretPath(path), expectedVersion: undefined, plaintext, expiry }],
    guards: [],
    requestId: undefined,
  };
}

/** The answer to a command with one operation that added a version. */
function added(version: number, revision: number): ChangeResult {
  return { revision, time: 1_700_000_000_000, results: [{ versions: [version], expireTime: undefined }] };
}

/** Changes that the test answers. */
class ScriptedChanges implements Changes {
  readonly commands: ChangeCommand[] = [];
  readonly answers: ((result: ChangeResult) => void)[] = [];
  readonly refusals: ((error: Error) => void)[] = [];

  change(command: ChangeCommand): Promise<ChangeResult> {
    this.commands.push(command);
    return new Promise((resolve, reject) => {
      this.answers.push(resolve);
      this.refusals.push(reject);
    });
  }
}

/** A front and the store thread, connected by a channel. */
class Kit {
  readonly changes = new ScriptedChanges();
  readonly #tasks: (() => void)[] = [];
  readonly #channel = manualChannel<ChangesMessage, FeedMessage>();
  readonly remote = new RemoteChanges((message, transfer) => this.#channel[1].post(message, transfer), {
    afterTurn: (task) => void this.#tasks.push(task),
  });
  readonly server = new ChangeServer(this.#channel[0], this.changes);

  constructor() {
    this.#channel[1].onMessage((message) => {
      if (message.kind === "answers") this.remote.answered(message);
    });
  }

  /** Ends the turn of the front, and returns the number of messages that it sent. */
  endTurn(): number {
    for (const task of this.#tasks.splice(0)) task();
    const sent = this.#channel[0].waiting;
    this.#channel[0].deliver(sent);
    return sent;
  }

  /** Delivers what the store thread sent, and returns the number of messages. */
  async receive(): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    const sent = this.#channel[1].waiting;
    this.#channel[1].deliver(sent);
    return sent;
  }
}

describe("the messages of changes", () => {
  // What the store thread decodes is what the front encoded: any number of commands, with operations of each kind. The
  // plaintexts are compared before the encoding, which overwrites them.
  it("have the commands of the callers", () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 8 }), (commands) => {
        const expected = structuredClone(commands.map((command, id) => ({ id, command })));
        const requests = commands.map((command, id) => ({ id, command }));
        const message = encodeRequests(requests);
        const received = structuredClone(message, { transfer: [message.plaintexts] });
        assert.deepEqual(structuredClone(decodeRequests(received)), expected);
      }),
      { numRuns: 500 },
    );
  });

  // A part of a command is never taken for a command.
  it("that lost a number or a text are refused", () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { minLength: 1, maxLength: 4 }), (commands) => {
        const { requests, plaintexts } = encodeRequests(commands.map((command, id) => ({ id, command })));
        const { texts, numbers } = requests;
        const decode = (columns: typeof requests) => decodeRequests({ requests: columns, plaintexts });
        decode(requests);
        assert.throws(() => decode({ texts, numbers: numbers.subarray(0, -1) }), RangeError);
        assert.throws(() => decode({ texts: texts.slice(0, -1), numbers }), RangeError);
      }),
    );
  });

  it("have the answers of the store", () => {
    const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const result = fc.record({ versions: fc.array(number), expireTime: fc.option(number, { nil: undefined }) });
    const done: fc.Arbitrary<Answer> = fc.record({
      kind: fc.constant("done" as const),
      id: number,
      result: fc.record({ revision: number, time: number, results: fc.array(result) }),
    });
    fc.assert(
      fc.property(fc.array(done), (answers) => {
        assert.deepEqual(decodeAnswers(structuredClone(encodeAnswers(answers))), structuredClone(answers));
      }),
    );
  });
});

describe("changes that a front requests", () => {
  it("cross in one message for each turn, and are answered in one message for each group", async () => {
    const kit = new Kit();
    const sent = [put("a", "first"), put("b", "second")];
    const expected = structuredClone(sent);
    const answers = sent.map((command) => kit.remote.change(command));
    assert.equal(kit.endTurn(), 1);
    assert.deepEqual(structuredClone(kit.changes.commands), expected);
    const results = [added(4, 7), added(1, 8)];
    kit.changes.answers.forEach((answer, i) => void answer(results[i]!));
    assert.equal(await kit.receive(), 1);
    assert.deepEqual(await Promise.all(answers), results);
    void kit.remote.change(put("d", "third"));
    assert.equal(kit.endTurn(), 1);
  });

  // The front does not mix up the answers when the store thread gives them in another order.
  it("get their own answers and errors", async () => {
    const kit = new Kit();
    const first = kit.remote.change(put("a", "1"));
    kit.endTurn();
    const second = kit.remote.change(put("b", "1")).catch((error: unknown) => error);
    kit.endTurn();
    kit.changes.refusals[1]!(versionMismatch("b", 1, 2));
    await kit.receive();
    kit.changes.answers[0]!(added(1, 2));
    await kit.receive();
    assert.deepEqual(await first, added(1, 2));
    const error = await second;
    assert.ok(error instanceof CofferError);
    assert.equal(error.reason, "VERSION_MISMATCH");
  });

  // When a value is sent, the front overwrites its own copy, and the buffer of the message moves to the store thread.
  it("leave no plaintext on the front", () => {
    fc.assert(
      fc.property(anyCommand, (command) => {
        const before = Buffer.concat(plaintextsOf(command));
        const moved: ArrayBuffer[] = [];
        const remote = new RemoteChanges((_, transfer) => void moved.push(...transfer), {
          afterTurn: (task) => task(),
        });
        void remote.change(command);
        assert.deepEqual(Buffer.concat(plaintextsOf(command)), Buffer.alloc(before.length));
        assert.deepEqual(Buffer.from(moved[0]!), before);
      }),
    );
  });

  // The store overwrites a plaintext when its operation ends. The plaintexts are parts of the message's buffer, so no
  // other copy remains.
  it("give the store a plaintext that it can overwrite", () => {
    const kit = new Kit();
    void kit.remote.change(put("a", "one"));
    void kit.remote.change(put("b", "two"));
    kit.endTurn();
    const [one, two] = kit.changes.commands.flatMap(plaintextsOf);
    assert.equal(one?.buffer, two?.buffer);
    one?.fill(0);
    assert.equal(two?.toString("latin1"), "two");
  });
});
