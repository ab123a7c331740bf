import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { LONG } from "../support/long-form.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { randomFrom } from "./load.ts";

const CHANGES = LONG ? 10_000 : 300;
const KILLS = LONG ? 40 : 3;
const WRITERS = 8;

const site = new Site();
after(() => site.remove());

/** A change that adds a version to each of its paths, and the request of it. */
interface Change {
  readonly method: "Put" | "Patch" | "Copy" | "Commit";
  readonly paths: readonly string[];
  readonly request: Readonly<Record<string, unknown>>;
}

/** The secrets of one writer, and what its answers have said. */
class Writer {
  readonly #paths: readonly [string, string];
  readonly #random: () => number;
  /** The versions in the answers, by path. */
  readonly #versions = new Map<string, number[]>();
  /** The attempts whose answer the caller did not get. */
  lost = 0;
  #started = false;

  constructor(index: number) {
    this.#paths = [`once/${index}/a`, `once/${index}/b`];
    this.#random = randomFrom(index + 1);
  }

  next(number: number): Change {
    const [a, b] = this.#paths;
    const data = { number: String(number) };
    const request_id = randomUUID();
    const choice = this.#started ? this.#random() : 1;
    this.#started = true;
    if (choice < 0.5) return { method: "Put", paths: [a], request: { path: a, data, request_id } };
    if (choice < 0.65) return { method: "Patch", paths: [a], request: { path: a, data, request_id } };
    if (choice < 0.8) return { method: "Copy", paths: [b], request: { source: a, target: b, request_id } };
    const operations = [{ put: { path: a, data } }, { put: { path: b, data } }];
    return { method: "Commit", paths: [a, b], request: { operations, request_id } };
  }

  /** Makes one change, and repeats it until there is an answer. Answers are lost by short deadlines and by kills. */
  async make({ method, paths, request }: Change, caller: () => Promise<Caller>): Promise<void> {
    for (;;) {
      const hurry = this.#random() < 0.4;
      const outcome = await (await caller()).call(method, request, hurry ? 1 + this.#random() * 8 : PATIENCE_MS);
      if (outcome.code === "OK") {
        this.#answered(paths, outcome);
        return;
      }
      this.lost += 1;
      assert.ok(["DEADLINE_EXCEEDED", "UNAVAILABLE", "INTERNAL"].includes(outcome.code), outcome.message);
    }
  }

  #answered(paths: readonly string[], { response }: Outcome): void {
    for (const [i, path] of paths.entries()) {
      const version: number = response.version ?? response.results[i].versions[0];
      this.#versions.set(path, [...(this.#versions.get(path) ?? []), version]);
    }
  }

  /** A writer makes one change at a time, so its answers name the versions 1, 2, 3 and so on. */
  async check(caller: Caller): Promise<void> {
    for (const [path, versions] of this.#versions) {
      assert.deepEqual(
        versions,
        Array.from(versions, (_, i) => i + 1),
        path,
      );
      const { response } = await caller.describe({ path });
      assert.equal(
        response.latest_version,
        versions.length,
        `${path} has other versions than those that were answered`,
      );
    }
  }
}

/** A server that is killed and started again, and connections to it. */
class Restarting {
  #server: Promise<ServerProcess>;
  #callers: Caller[] = [];

  constructor() {
    this.#server = site.start();
  }

  async caller(index: number): Promise<Caller> {
    const server = await this.#server;
    this.#callers[index] ??= site.caller(server);
    return this.#callers[index];
  }

  async kill(): Promise<void> {
    const server = await this.#server;
    this.#server = server.kill().then(() => {
      for (const caller of this.#callers) caller?.close();
      this.#callers = [];
      return site.start();
    });
    await this.#server;
  }
}

// A change with a request_id is applied exactly once, although its caller repeats it until it gets an answer: after answers
// that came too late, and after kills of the server before, during and after the commit.
test(`${CHANGES} changes with lost answers and ${KILLS} kills are each applied exactly once`, async () => {
  const server = new Restarting();
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index));
  let made = 0;
  let kills = 0;
  const lost = () => writers.reduce((sum, writer) => sum + writer.lost, 0);
  const run = async (writer: Writer, index: number) => {
    // How many answers are lost depends on the machine, so there are more changes until it is enough.
    while (made < CHANGES || lost() < KILLS) {
      made += 1;
      if (kills < KILLS && made > ((kills + 1) * CHANGES) / (KILLS + 1)) {
        kills += 1;
        void server.kill();
      }
      await writer.make(writer.next(made), () => server.caller(index % 3));
    }
  };
  await Promise.all(writers.map(run));
  assert.equal(kills, KILLS);
  const caller = await server.caller(0);
  for (const writer of writers) await writer.check(caller);
  assert.ok(lost() >= KILLS);
});
