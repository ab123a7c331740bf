import assert from "node:assert/strict";
import type { ClientError } from "../../src/client/client-error.ts";
import { Pauses } from "../../src/client/pauses.ts";
import type { SecretEvent, SecretSeen } from "../../src/client/secret-events.ts";
import { SecretWatch } from "../../src/client/secret-watch.ts";
import type { StreamStep } from "../../src/client/server-stream.ts";
import { readWatchOptions } from "../../src/client/watch-options.ts";
import { type WatchRequest, type WatchResponse, watchResponse } from "../../src/contract/messages.ts";
import { CofferError } from "../../src/domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import { watchResponse as answerOf } from "../../src/grpc/watch-answers.ts";
import { bookmarkOf } from "../../src/grpc/watch-route.ts";
import { WatchScope } from "../../src/watch/watch-scope.ts";
import { ManualTimers } from "./manual-timers.ts";
import { BROKEN, failed } from "./scripted-watches.ts";
import type { Watched } from "./watch-client.ts";
import { WATCHING, type WatchWorld, versionValue } from "./watch-world.ts";

/** The maximum number of messages in the network. */
const IN_FLIGHT = 3;

/** How a stream ends. */
export type StreamFault = "broken" | "shutting down" | "replaced";

/** A stream from the server of a simulated world. Messages pass through their encoding. */
class SimulatedStream {
  readonly over: Promise<void>;
  readonly #arrived: WatchResponse[] = [];
  readonly #endWatch: () => void;
  #end: StreamStep<never> | undefined;
  #isLost = false;
  #wakeServer = () => {};
  #wake = () => {};
  #resolveOver = () => {};

  constructor(world: WatchWorld, scope: WatchScope, { withValues, ...from }: WatchRequest) {
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
    const stream = this;
    const watch = world.hub.begin(caller, { scope, withValues, from: bookmarkOf(from) }, (wake) => {
      this.#wakeServer = wake;
      return {
        get isOver() {
          return stream.#end !== undefined;
        },
        fits: () => this.#arrived.length < IN_FLIGHT,
        hold: () => true,
        drop: () => {},
        send: (event) => {
          this.#arrived.push(watchResponse.decode(watchResponse.encode(answerOf(event))));
          this.#wake();
        },
        fail: (error: CofferError) => this.end(failed("UNAVAILABLE", { reason: error.reason })),
      };
    });
    this.#endWatch = () => watch.end();
  }

  async next(): Promise<StreamStep<WatchResponse>> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message !== undefined) {
        if (!this.#isLost && this.#end === undefined) this.#wakeServer();
        return { kind: "message", message };
      }
      if (this.#end !== undefined) return this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  silence(): void {
    this.end(BROKEN);
  }

  replace(): void {
    this.#finish({ kind: "replaced" });
  }

  end(error: ClientError): void {
    this.#finish({ kind: "failed", error });
  }

  /** The connection breaks, and what was in the network is lost. */
  break(): void {
    this.#arrived.length = 0;
    this.end(BROKEN);
  }

  /** The connection breaks, because the server has ended. */
  lose(): void {
    this.#isLost = true;
    this.break();
  }

  #finish(end: StreamStep<never>): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (!this.#isLost) this.#endWatch();
    this.#resolveOver();
    this.#wake();
  }
}

/** A watch of the client at a simulated server, and a consumer that checks each event. */
export class SimulatedWatch {
  /** What the consumer knows, by path. */
  readonly known = new Map<string, SecretSeen>();
  readonly #world: WatchWorld;
  readonly #scope: WatchScope;
  readonly #timers = new ManualTimers(0);
  readonly #pauses = new Pauses(this.#timers);
  readonly #watch: SecretWatch;
  #stream: SimulatedStream | undefined;
  #syncedRevision = -1;
  readonly #arrivedKinds = new Set<string>();
  #isSettled = false;
  #isWaiting = false;
  #received: SecretEvent | undefined;

  constructor(world: WatchWorld, { paths, prefixes }: Watched) {
    this.#world = world;
    this.#scope = new WatchScope(
      paths.map((path) => parseSecretPath(path)),
      prefixes.map((prefix) => parsePathPrefix(prefix)),
    );
    this.#watch = new SecretWatch(readWatchOptions({ paths, prefixes }), {
      open: async (request) => this.#open(request),
      report: async () => {},
      onOver: () => {},
      pauses: this.#pauses,
      timers: this.#timers,
      random: () => 1,
      silenceMs: 20_000,
    });
  }

  /** Lets the consumer take up to `count` events. */
  async take(count: number): Promise<void> {
    for (let taken = 0; taken < count; taken++) {
      const event = await this.#next();
      if (event === undefined) return;
      this.#check(event);
    }
  }

  /** Ends the stream, if there is one. */
  interrupt(fault: StreamFault): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (fault === "replaced") stream?.replace();
    else if (fault === "broken") stream?.break();
    else stream?.end(failed("UNAVAILABLE", { reason: "SHUTTING_DOWN" }));
  }

  /** The server has ended. */
  lose(): void {
    this.#stream?.lose();
    this.#stream = undefined;
  }

  /** Lets time pass for the client: pauses, and silence. */
  advance(ms: number): void {
    this.#timers.advance(ms);
  }

  /** Lets the consumer take everything: in the last round, a heartbeat is the only event that arrives. */
  async settle(): Promise<void> {
    for (let round = 0; !this.#isSettled; round++) {
      assert.ok(round < 1000, "the consumer gets everything");
      this.#isSettled = false;
      while (this.#world.turns.end());
      this.#world.turns.beat();
      this.#arrivedKinds.clear();
      await this.take(Number.POSITIVE_INFINITY);
      const isQuiet = [...this.#arrivedKinds].join() === "heartbeat" && !this.#world.turns.end();
      this.#isSettled = isQuiet && this.#syncedRevision === this.#world.memory.revision;
      if (this.#timers.pauses.some((ms) => ms <= 5000)) this.advance(5000);
    }
    this.#isSettled = false;
    this.#checkComplete();
  }

  close(): Promise<unknown> {
    return this.#watch.return();
  }

  #open(request: WatchRequest): SimulatedStream {
    try {
      this.#stream = new SimulatedStream(this.#world, this.#scope, request);
      return this.#stream;
    } catch (error) {
      assert.ok(error instanceof CofferError);
      throw failed("UNAVAILABLE", { reason: error.reason });
    }
  }

  /** The next event, or undefined if none arrives before the world does something else. */
  async #next(): Promise<SecretEvent | undefined> {
    if (!this.#isWaiting) {
      this.#isWaiting = true;
      void this.#watch.next().then(({ value }) => {
        this.#received = value;
      });
    }
    for (let turn = 0; turn < 4 && this.#received === undefined; turn++) {
      await new Promise(setImmediate);
      this.#world.turns.end();
    }
    const event = this.#received;
    this.#received = undefined;
    this.#isWaiting = event === undefined;
    return event;
  }

  #check(event: SecretEvent): void {
    this.#arrivedKinds.add(event.kind);
    if (event.kind === "synced" || event.kind === "heartbeat") this.#syncedRevision = event.revision;
    if (event.kind === "gone")
      assert.ok(this.known.delete(event.path), `${event.path} was delivered before it is gone`);
    if (event.kind !== "secret") return;
    const { path, version, state, revision, content } = event;
    const before = this.known.get(path);
    assert.ok(this.#scope.covers(path));
    // A restore has lost the changes after this revision.
    const isLost = before !== undefined && before.revision > this.#world.restored;
    assert.ok(before === undefined || isLost || revision > before.revision, `${path} is newer than before`);
    const expected = state === "live" ? versionValue(path, version, event.createTime) : undefined;
    assert.equal(content?.text("k"), expected);
    this.known.set(path, event);
  }

  #checkComplete(): void {
    const { memory } = this.#world;
    const visible: string[] = [];
    for (let secret = memory.atOrAfter(""); secret; secret = memory.atOrAfter(`${secret.path}\0`)) {
      const look = this.#world.look(secret.path);
      if (this.#scope.covers(secret.path) && this.#world.allows(secret.path) && typeof look === "object")
        visible.push(`${secret.path} ${look.revision} ${look.version} ${look.state} ${look.value}`);
    }
    const known = [...this.known.values()].map(
      ({ path, revision, version, state, content }) => `${path} ${revision} ${version} ${state} ${content?.text("k")}`,
    );
    assert.deepEqual(
      known.sort(),
      visible.sort(),
      "the consumer knows the newest states of what it may see, and no more",
    );
  }
}
