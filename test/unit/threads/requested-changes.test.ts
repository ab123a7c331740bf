import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { versionMismatch } from "../../../src/domain/errors.ts";
import type { Changes } from "../../../src/store/changes.ts";
import type { DeleteCommand, DeleteResult, PutCommand, PutResult } from "../../../src/store/operation.ts";
import { ChangeServer } from "../../../src/threads/change-server.ts";
import type { FeedMessage } from "../../../src/threads/port-messages.ts";
import type { ChangesMessage } from "../../../src/threads/requests.ts";
import { RemoteChanges } from "../../../src/threads/remote-changes.ts";
import { manualChannel } from "../../support/manual-port.ts";
import { deleteRequest, outcomeOf, putRequest } from "../../support/store-kit.ts";

/** Changes that the test answers. */
class ScriptedChanges implements Changes {
  readonly puts: (PutCommand & { readonly text: string })[] = [];
  readonly deletes: DeleteCommand[] = [];
  readonly answers: ((result: never) => void)[] = [];
  readonly refusals: ((error: Error) => void)[] = [];

  put(command: PutCommand): Promise<PutResult> {
    this.puts.push({ ...command, text: command.plaintext.toString("latin1") });
    return this.#wait();
  }

  delete(command: DeleteCommand): Promise<DeleteResult> {
    this.deletes.push(command);
    return this.#wait();
  }

  #wait<Result>(): Promise<Result> {
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

describe("changes that a front requests", () => {
  it("cross in one message for each turn, and are answered in one message for each group", async () => {
    const kit = new Kit();
    const answers = [
      kit.remote.put(putRequest("a", "first", 3)),
      kit.remote.delete(deleteRequest("b", [1, 2])),
      kit.remote.put(putRequest("c", "second")),
    ];
    assert.equal(kit.endTurn(), 1);
    assert.deepEqual(
      kit.changes.puts.map(({ path, author, expectedVersion, text }) => [path, author, expectedVersion, text]),
      [putRequest("a", "first", 3), putRequest("c", "second")].map(({ path, author, expectedVersion, plaintext }) => {
        return [path, author, expectedVersion, plaintext.toString("latin1")];
      }),
    );
    const [{ path, versions, expectedVersion }] = kit.changes.deletes as [DeleteCommand];
    assert.deepEqual([path, versions, expectedVersion], ["b", [1, 2], undefined]);
    const results = [
      { version: 4, revision: 7, createTime: 1_700_000_000_000 },
      { versions: [1, 2], revision: 8 },
      { version: 1, revision: 9, createTime: 1_700_000_000_001 },
    ];
    kit.changes.answers.forEach((answer, i) => void answer(results[i] as never));
    assert.equal(await kit.receive(), 1);
    assert.deepEqual(await Promise.all(answers), results);
    void kit.remote.put(putRequest("d", "third"));
    assert.equal(kit.endTurn(), 1);
  });

  // The front does not mix up the answers when the store thread gives them in another order.
  it("get their own answers and errors", async () => {
    const kit = new Kit();
    const first = outcomeOf(kit.remote.put(putRequest("a", "1")));
    kit.endTurn();
    const second = outcomeOf(kit.remote.put(putRequest("b", "1")));
    kit.endTurn();
    kit.changes.refusals[1]!(versionMismatch("b", 1, 2));
    await kit.receive();
    const result = { version: 1, revision: 2, createTime: 3 };
    kit.changes.answers[0]!(result as never);
    await kit.receive();
    assert.deepEqual([await first, await second], [result, "VERSION_MISMATCH"]);
  });

  // Secret values have one copy: that of the front is overwritten when it is sent, and the buffer of the message moves.
  it("leave no plaintext on the front", () => {
    const command = putRequest("a", "the secret");
    const moved: ArrayBuffer[] = [];
    const remote = new RemoteChanges((_, transfer) => void moved.push(...transfer), { afterTurn: (task) => task() });
    assert.match(command.plaintext.toString("latin1"), /the secret/);
    void remote.put(command);
    assert.deepEqual(command.plaintext, Buffer.alloc(command.plaintext.length));
    assert.match(Buffer.from(moved[0]!).toString("latin1"), /the secret/);
  });

  // The store overwrites a plaintext when its operation ends. The plaintexts are parts of the message's buffer, so no
  // other copy remains.
  it("give the store a plaintext that it can overwrite", () => {
    const kit = new Kit();
    void kit.remote.put(putRequest("a", "one"));
    void kit.remote.put(putRequest("b", "two"));
    kit.endTurn();
    const [one, two] = kit.changes.puts.map(({ plaintext }) => plaintext);
    assert.equal(one?.buffer, two?.buffer);
    one?.fill(0);
    assert.match(two?.toString("latin1") ?? "", /two/);
  });
});
