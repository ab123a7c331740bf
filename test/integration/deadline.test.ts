import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Metadata, type ServiceError, status as Code } from "@grpc/grpc-js";
import { DEFAULT_DEADLINE_MS } from "../../src/contract/limits.ts";
import { getRequest, getResponse, putRequest } from "../../src/contract/messages.ts";
import { systemClock, type Timers, processTimers } from "../../src/domain/timers.ts";
import { contentUnreadable } from "../../src/domain/errors.ts";
import { FileSource } from "../../src/identity/file-source.ts";
import { Connections } from "../../src/admission/connection.ts";
import { GrpcServer } from "../../src/grpc/grpc-server.ts";
import type { SecretsMethods } from "../../src/grpc/secrets-service.ts";
import { DEFAULT_HANDSHAKE_LIMITS, HandshakeGate } from "../../src/admission/handshake-gate.ts";
import { Listener } from "../../src/admission/listener.ts";
import { ConnectionAdmission } from "../../src/admission/connection-admission.ts";
import type { Handled } from "../../src/grpc/authorized-route.ts";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { answerOf, sessionOf } from "../support/bare-call.ts";
import { ANY_CALLER, WIDE_LIMITS } from "../support/any-caller.ts";
import { API, Caller, ServerKit } from "../support/server-kit.ts";
import { NO_WATCHES } from "../support/no-watches.ts";
import { FILTER } from "../support/loaded-filter.ts";

/**
 * Time that passes only when the test advances it. Between hold() and release(), tasks that run after a turn of the
 * event loop wait.
 */
class StillTimers implements Timers {
  readonly clock = systemClock;
  readonly delays = new Set<{ readonly at: number; readonly task: () => void }>();
  readonly #turns: (() => void)[] = [];
  #held = false;
  #now = 0;

  readonly elapsed = (): number => this.#now;
  readonly monotonic = (): number => this.#now;

  readonly delay = (ms: number, task: () => void): (() => void) => {
    const entry = { at: this.#now + ms, task };
    this.delays.add(entry);
    return () => this.delays.delete(entry);
  };

  readonly busy = (): number => this.#now;
  readonly eachTurn = processTimers.eachTurn;

  readonly afterTurn = (task: () => void): void => {
    if (this.#held) this.#turns.push(task);
    else processTimers.afterTurn(task);
  };

  advance(ms: number): void {
    this.#now += ms;
    for (const entry of this.delays) {
      if (entry.at > this.#now) continue;
      this.delays.delete(entry);
      entry.task();
    }
  }

  /** Advances time in steps of one millisecond until `done` is settled, because connections close in several steps. */
  async advanceUntil(done: Promise<unknown>): Promise<void> {
    let isDone = false;
    void done.finally(() => (isDone = true));
    await until(() => {
      this.advance(1);
      return isDone;
    });
  }

  /** The number of tasks that wait for release(). */
  get waiting(): number {
    return this.#turns.length;
  }

  /** From now on, no group is committed, as with a commit that hangs. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    for (const task of this.#turns.splice(0)) task();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("a call whose commit hangs", () => {
  const timers = new StillTimers();
  let kit: ServerKit;
  let api: Caller;
  before(async () => {
    kit = await ServerKit.start({}, timers);
    api = kit.caller(API);
    await api.put({ path: "shop/api/d", data: { value: "before" } });
  });
  after(async () => {
    api.close();
    await timers.advanceUntil(kit.stop());
  });

  const value = async () => (await api.get({ path: "shop/api/d" })).response.data.value;

  // The caller set no deadline, so the server's own limit of 30 s applies. The answer says that the change may still be
  // applied.
  it("is answered after 30 s when the caller set no deadline", async () => {
    timers.hold();
    let answered = false;
    const put = api.call("Put", { path: "shop/api/d", data: { value: "late" } }, Number.POSITIVE_INFINITY);
    void put.then(() => (answered = true));
    await until(() => timers.waiting === 1);
    timers.advance(DEFAULT_DEADLINE_MS - 1);
    assert.equal(await value(), "before");
    assert.equal(answered, false);
    timers.advance(1);
    const { code, reason, message } = await put;
    assert.deepEqual([code, reason], ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"]);
    assert.match(message, /30000 ms; a change may be applied/);
    timers.release();
    while ((await value()) !== "late");
    const lines = kit.log.filter((line) => line.event === "call" && line["code"] === "DEADLINE_EXCEEDED");
    assert.deepEqual(
      lines.map((line) => line["seconds"]),
      [30],
    );
  });

  it("has no timer of its own, except one until its end if the caller set a deadline", async () => {
    // The remaining timers are those of the connection, and one for all calls.
    const idle = timers.delays.size;
    const unlimited = await api.call("Put", { path: "shop/api/d", data: { value: "1" } }, Number.POSITIVE_INFINITY);
    assert.equal(unlimited.code, "OK");
    assert.equal(timers.delays.size, idle);
    timers.hold();
    const { code, reason } = await api.call("Put", { path: "shop/api/d", data: { value: "2" } }, 200);
    assert.deepEqual([code, reason], ["DEADLINE_EXCEEDED", undefined]);
    await until(() => timers.delays.size === idle);
    timers.release();
  });

  // Clients usually cancel such a call by themselves. For one that does not, the server keeps no call beyond its deadline.
  it("is ended by the server when the caller's deadline has passed", async () => {
    timers.hold();
    const session = await sessionOf(kit, API);
    const stream = beginCall(session, "/coffer.v1.Secrets/Put", { "grpc-timeout": "200m" });
    const data = [{ key: "value", value: Buffer.from("3") }];
    stream.end(grpcMessage(putRequest.encode(putRequest.of({ path: "shop/api/d", data }))));
    const answer = answerOf(stream);
    await until(() => timers.waiting > 0);
    timers.advance(199);
    assert.equal((await value()).length > 0, true, "a later call is answered, so the Put is not over");
    assert.equal(stream.closed, false);
    timers.advance(1);
    const { code, reason } = await answer;
    assert.deepEqual([code, reason], [Code.DEADLINE_EXCEEDED, undefined]);
    session.destroy();
    timers.release();
  });

  // A call in progress completes and is durable. A later call is refused, and none of it is applied.
  it("completes before the server stops, and a later one is refused", async () => {
    timers.hold();
    const put = api.put({ path: "shop/api/d", data: { value: "last" } });
    await until(() => timers.waiting > 0);
    const restarted = kit.restart(timers);
    await until(() => kit.log.some(({ event }) => event === "stopping"));
    const late = kit.caller(API);
    const refused = await late.put({ path: "shop/api/refused", data: { value: "x" } });
    late.close();
    assert.equal(refused.code, "UNAVAILABLE");
    timers.release();
    assert.equal((await put).code, "OK");
    await timers.advanceUntil(restarted);
    api.close();
    api = kit.caller(API);
    assert.equal(await value(), "last");
    assert.equal((await api.get({ path: "shop/api/refused" })).reason, "SECRET_NOT_FOUND");
  });
});

/** Parts of an unexpected error that no caller may read. */
const INTERNAL_DETAILS = /UNIQUE|\/var\/lib|secrets-service|node_modules|TypeError/;
const unexpected = () => new Error("UNIQUE constraint failed: /var/lib/x");

type Get = SecretsMethods["Get"]["handle"];
const found = getResponse.of({ path: "a", version: 1, createTime: 0, revision: 1 });

describe("a method that fails unexpectedly", () => {
  let kit: ServerKit;
  let listener: Listener;
  let identity: FileSource;
  let admission: ConnectionAdmission;
  let server: GrpcServer;
  let client: Caller;
  let handle: Get;
  const seen: Handled[] = [];

  // Coffer's methods do not fail unexpectedly, so this is a separate server: only its method is not real.
  before(async () => {
    kit = await ServerKit.start();
    const connections = new Connections();
    const get = {
      request: getRequest,
      response: getResponse,
      ...ANY_CALLER,
      handle: (...call: Parameters<Get>) => handle(...call),
    };
    const methods = { Get: get } as unknown as SecretsMethods;
    const onHandled = (handled: Handled) => void seen.push(handled);
    server = new GrpcServer({
      connections,
      ...WIDE_LIMITS,
      watch: NO_WATCHES,
      methods,
      onHandled,
      timers: processTimers,
      random: Math.random,
    });
    identity = FileSource.open({ files: kit.files, purpose: "server", timers: processTimers });
    admission = new ConnectionAdmission({
      identity,
      connections,
      gate: new HandshakeGate(DEFAULT_HANDSHAKE_LIMITS, processTimers),
      filter: FILTER,
      timers: processTimers,
      onConnection: (connection) => server.serve(connection),
      onRefused: () => {},
    });
    listener = await Listener.listen(kit.config.listen[0]!, {
      accept: (socket) => admission.receive(socket),
      failed: (error) => admission.notAccepted(error),
    });
    const { port } = listener.address as { port: number };
    client = new Caller(`localhost:${port}`, Buffer.from(kit.ca.bundlePem), kit.issue({ id: API }), {});
  });
  after(async () => {
    client.close();
    listener.close();
    admission.close();
    identity.close();
    await server.drain(1000);
    await kit.stop();
  });

  const rows: [what: string, handle: () => unknown][] = [
    [
      "throws",
      () => {
        throw unexpected();
      },
    ],
    ["rejects", () => Promise.reject(unexpected())],
    ["rejects later", () => new Promise((_, reject) => setImmediate(reject, unexpected()))],
    ["throws a value that is not an error", () => Promise.reject("UNIQUE constraint failed: /var/lib/x")],
    ["throws undefined", () => Promise.reject(undefined)],
    [
      "throws an error with the fields of a status",
      () => Promise.reject(Object.assign(unexpected(), { code: 5, details: "/var/lib/x" })),
    ],
    ["returns an invalid answer", () => ({ path: 7 })],
    ["returns an invalid answer later", () => Promise.resolve(undefined)],
  ];
  for (const [what, answer] of rows) {
    // The caller always gets the same answer. The log has the cause, once.
    it(`is INTERNAL when it ${what}, and reveals nothing`, async () => {
      handle = answer as Get;
      seen.length = 0;
      const error = await failure(client);
      assert.equal(Code[error.code], "INTERNAL");
      assert.equal(error.details, "internal error; the server's log has the cause");
      assert.doesNotMatch(JSON.stringify([error.message, texts(error.metadata)]), INTERNAL_DETAILS);
      assert.deepEqual(
        seen.map(({ code, error, caller }) => [code, error?.reason, caller?.id.toString()]),
        [[Code.INTERNAL, "INTERNAL", API]],
      );
    });
  }

  it("has its cause in the log only", async () => {
    handle = () => {
      throw unexpected();
    };
    await failure(client);
    assert.match(String(seen.at(-1)?.error?.cause), INTERNAL_DETAILS);
  });

  it("differs from a method that refuses, whose cause is also in the log only", async () => {
    handle = () => {
      throw contentUnreadable("a", 1, unexpected());
    };
    const error = await failure(client);
    assert.equal(Code[error.code], "DATA_LOSS");
    assert.match(error.details, /the stored content of version 1 of a can't be opened/);
    assert.doesNotMatch(JSON.stringify([error.message, texts(error.metadata)]), INTERNAL_DETAILS);
  });

  it("differs from a method that answers", async () => {
    handle = () => found;
    assert.equal((await client.get({ path: "a" })).response.version, 1);
  });
});

/** Returns the error of a Get, with all metadata of the response. */
function failure({ client }: Caller): Promise<ServiceError> {
  const bytes = (value: Buffer) => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/coffer.v1.Secrets/Get",
      bytes,
      bytes,
      getRequest.encode(getRequest.of({ path: "a", version: 0 })),
      (error) => (error === null ? reject(new Error("the call succeeded")) : resolve(error)),
    );
  });
}

function texts(metadata: Metadata): string[] {
  return Object.keys(metadata.getMap()).flatMap((key) =>
    metadata.get(key).map((value) => `${key}: ${Buffer.from(value).toString("latin1")}`),
  );
}
