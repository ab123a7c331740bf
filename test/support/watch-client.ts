import assert from "node:assert/strict";
import type { CofferError } from "../../src/domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import type { Bookmark, TimelinePosition } from "../../src/watch/bookmark.ts";
import type { WatchEvent } from "../../src/watch/watch-event.ts";
import { WatchScope } from "../../src/watch/watch-scope.ts";
import { BEGINNING, type Look, WATCHING, type WatchWorld } from "./watch-world.ts";

/** Stands for a number of policy changes if the client has not followed any of them completely. */
const NOT_FOLLOWED = -1;

/** What to watch. */
export interface Watched {
  readonly paths: readonly string[];
  readonly prefixes: readonly string[];
}

/**
 * A workload that keeps what it was sent, and continues from where it was. It checks each event at the moment at which the
 * server creates it.
 */
export class WatchClient {
  /** What it knows, by path. */
  readonly known = new Map<string, Look>();
  readonly #world: WatchWorld;
  readonly #scope: WatchScope;
  /** Known from before a snapshot that is not complete. */
  readonly #stale = new Set<string>();
  #bookmark: Pick<Bookmark, "revision" | "policy"> = BEGINNING;
  /** The newest change of which an event has arrived. */
  #seen: TimelinePosition = BEGINNING.seen;
  #isSynced = false;
  /** The number of paths and prefixes of the last SYNCED of which it may see a path. */
  #readable = 0;
  /** The highest revision of an event after SYNCED. */
  #highest = 0;
  /** The number of policy changes of the world at the last event of each path. */
  readonly #policies = new Map<string, number>();
  /** The number of policy changes of the world that it has followed completely. */
  #policiesAtSynced = NOT_FOLLOWED;
  #space = 0;
  #held = 0;
  /** The bytes of its budget. */
  #budget = 0;
  #end: (() => void) | undefined;
  #wake = () => {};

  constructor(world: WatchWorld, { paths, prefixes }: Watched) {
    this.#world = world;
    this.#scope = new WatchScope(
      paths.map((path) => parseSecretPath(path)),
      prefixes.map((prefix) => parsePathPrefix(prefix)),
    );
  }

  get isConnected(): boolean {
    return this.#end !== undefined;
  }

  /** Begins a watch. With `resumes`, from the last SYNCED or heartbeat. */
  connect(resumes: boolean): void {
    if (this.isConnected) return;
    // Before the SYNCED of a snapshot, the bookmark does not match what the client knows.
    if (!resumes) this.#bookmark = BEGINNING;
    if (this.#bookmark.revision === 0) this.#forgetAll();
    const from = { ...this.#bookmark, seen: this.#seen };
    this.#isSynced = false;
    this.#highest = 0;
    this.#held = 0;
    let isOver = false;
    const request = { scope: this.#scope, withValues: true, from };
    const caller = { id: WATCHING, connection: 1, validUntil: Number.POSITIVE_INFINITY };
    const watch = this.#world.hub.begin(caller, request, (wake) => {
      this.#wake = wake;
      return {
        get isOver() {
          return isOver;
        },
        fits: () => this.#takeStep(),
        hold: (bytes) => this.#hold(bytes),
        drop: (bytes) => {
          this.#held -= bytes;
        },
        send: (event) => this.#receive(event),
        fail: (error: CofferError) => assert.fail(error),
      };
    });
    this.#end = () => {
      isOver = true;
      watch.end();
      assert.equal(this.#held, 0, "it returns the memory that it has held");
    };
  }

  disconnect(): void {
    this.#end?.();
    this.#end = undefined;
  }

  /** The server has ended. */
  lose(): void {
    this.#end = undefined;
  }

  /** Lets the server make `steps` steps, which is what a slow reader does. */
  read(steps: number, budget: number): void {
    this.#space += steps;
    this.#budget = budget;
    this.#wake();
  }

  /** Checks that it knows exactly what it may see. Everything has to be read. */
  checkComplete(): void {
    assert.ok(this.#isSynced, "SYNCED has arrived");
    const visible = new Map<string, Look>();
    const { memory } = this.#world;
    for (let secret = memory.atOrAfter(""); secret; secret = memory.atOrAfter(`${secret.path}\0`)) {
      const look = this.#world.look(secret.path);
      if (this.#sees(secret.path) && typeof look === "object") visible.set(secret.path, look);
    }
    assert.deepEqual(sorted(this.known), sorted(visible), "it knows the newest states of what it may see, and no more");
    const { paths, prefixes } = this.#scope;
    const readable = [
      ...paths.filter((path) => this.#world.allows(path)),
      ...prefixes.filter((prefix) => this.#world.reaches(prefix)),
    ];
    assert.equal(this.#readable, readable.length, "the last SYNCED counts what it may see now");
  }

  #sees(path: string): boolean {
    return this.#scope.covers(path) && this.#world.allows(path);
  }

  #takeStep(): boolean {
    if (this.#space <= 0) return false;
    this.#space -= 1;
    return true;
  }

  #hold(bytes: number): boolean {
    if (this.#held + bytes > this.#budget) return false;
    this.#held += bytes;
    return true;
  }

  #receive(event: WatchEvent): void {
    if (event.kind !== "resync" && event.revision > this.#seen.revision) this.#seen = event;
    switch (event.kind) {
      case "secret":
        this.#receiveSecret(event);
        return;
      case "purged":
        assert.equal(this.#world.look(event.path), "purged", "the newest state is sent");
        this.#checkVisible(event.path);
        this.#checkOrder(event);
        this.known.delete(event.path);
        this.#stale.delete(event.path);
        return;
      case "revoked":
        assert.ok(!this.#world.allows(event.path), "only what may not be seen is revoked");
        assert.ok(this.#world.everVisible.has(event.path), "REVOKED names nothing that was never visible");
        this.known.delete(event.path);
        this.#stale.delete(event.path);
        return;
      case "resync":
        this.#isSynced = false;
        this.#highest = 0;
        this.#bookmark = BEGINNING;
        this.#forgetAll();
        return;
      case "synced":
        for (const path of this.#stale) this.known.delete(path);
        this.#stale.clear();
        this.#isSynced = true;
        this.#readable = event.readable;
        this.#mark(event);
        return;
      case "heartbeat":
        assert.ok(this.#isSynced, "no heartbeat before SYNCED");
        this.#mark(event);
        return;
    }
  }

  #receiveSecret({ path, revision, newest, content }: WatchEvent & { kind: "secret" }): void {
    const look = this.#world.look(path);
    const state = newest?.state ?? "none";
    const bytes = content?.entries()[0]?.value;
    const value = bytes && Buffer.from(bytes).toString();
    assert.deepEqual(
      { revision, version: newest?.version.number ?? 0, state, value },
      look,
      "the newest state is sent",
    );
    this.#checkVisible(path);
    this.#checkOrder({ path, revision });
    this.known.set(path, look as Look);
    this.#stale.delete(path);
  }

  #checkVisible(path: string): void {
    assert.ok(this.#sees(path), `${path} is visible at this moment`);
  }

  /** A secret that the policy has made visible arrives with the revision of its last change, which can be an older one. */
  #checkOrder({ path, revision }: { readonly path: string; readonly revision: number }): void {
    const { policies, memory } = this.#world;
    assert.ok(revision <= memory.revision, "no event comes before its commit");
    const isSamePolicy = this.#policies.get(path) === policies || this.#policiesAtSynced === policies;
    if (this.#isSynced && isSamePolicy) {
      assert.ok(revision >= this.#highest, `${path}: ${revision} comes after ${this.#highest}`);
      assert.notEqual(this.known.get(path)?.revision, revision, `${path}: ${revision} arrives once`);
    }
    this.#policies.set(path, policies);
    if (this.#isSynced) this.#highest = Math.max(this.#highest, revision);
  }

  /** SYNCED and heartbeats state a revision up to which everything was sent. */
  #mark({ revision, policy }: Pick<Bookmark, "revision" | "policy">): void {
    const { policies } = this.#world;
    this.#policiesAtSynced = policy === this.#world.fingerprint(this.#scope) ? policies : NOT_FOLLOWED;
    this.#bookmark = { revision, policy };
    assert.ok(revision <= this.#world.memory.revision);
  }

  #forgetAll(): void {
    this.#seen = BEGINNING.seen;
    for (const path of this.known.keys()) this.#stale.add(path);
  }
}

function sorted(map: ReadonlyMap<string, Look>): unknown {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
